// Scanning at a gate: the browser's own detector (Chrome on a Mac, and on an Android that has Google's services), else
// a reader of ours (Safari, Firefox, Chrome elsewhere). Pictures stay in memory, and the camera is off as soon as a code was read.
export interface Reader { detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]> }

interface Native {
  new (how: { formats: string[] }): Reader;
  getSupportedFormats(): Promise<string[]>;
}

const FORMATS = ["qr_code", "code_128", "pdf417"];
const PATIENCE_MS = 30_000;
const PAUSE_MS = 100;
/** What a gate can do something with: entry codes, identity numbers, phones; not addresses or other people's codes. */
const READABLE = /^\+?[0-9A-Za-z][0-9A-Za-z -]{4,63}$/;

async function native(): Promise<Reader | null> {
  const made = (window as unknown as { BarcodeDetector?: Native }).BarcodeDetector;
  if (!made) return null;
  try {
    const formats = (await made.getSupportedFormats()).filter((format) => FORMATS.includes(format));
    return formats.includes("qr_code") ? new made({ formats }) : null;
  } catch {
    return null;
  }
}

/** The file to be kept for scanning without a network; "" where the browser reads codes itself. */
export async function readerFile(): Promise<string> {
  return (await native()) ? "" : (await import("./qr-reader")).address;
}

async function ours(): Promise<Reader> {
  const { QrReader } = await import("./qr-reader").catch(() => { throw new DOMException("", "ReaderMissing"); });
  return new QrReader();
}

/** Read one code into its text; "" when it was stopped or none came. `strange`: a code that is no use here was seen.
 * Throws what the camera throws. */
export async function readCode(video: HTMLVideoElement, stop: AbortSignal, strange: () => void): Promise<string> {
  if (!navigator.mediaDevices) throw new DOMException("", "SecurityError"); // not over https
  let codes = (await native()) ?? (await ours());
  const stream = await camera(stop);
  try {
    if (stop.aborted) return ""; // stopped while the browser asked whether it may
    video.srcObject = stream;
    video.hidden = false;
    await video.play();
    for (const until = Date.now() + PATIENCE_MS; Date.now() < until && !stop.aborted && !document.hidden;) {
      const found = await codes.detect(video).catch(async () => {
        codes = await ours(); // the browser's own says that it can, and cannot
        return [];
      });
      const text = found[0]?.rawValue.trim();
      if (text && READABLE.test(text)) return text;
      if (text) strange();
      await new Promise((next) => setTimeout(next, PAUSE_MS));
    }
    return "";
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
    video.hidden = true;
  }
}

async function camera(stop: AbortSignal): Promise<MediaStream> {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } },
  });
  if (stop.aborted) for (const track of stream.getTracks()) track.stop();
  return stream;
}

/** The key of the text that says why there is no picture. */
export function whyNot(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return "camera.denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "camera.none";
  if (name === "NotReadableError" || name === "AbortError") return "camera.busy";
  if (name === "SecurityError") return "camera.insecure";
  return name === "ReaderMissing" ? "camera.reader" : "camera";
}

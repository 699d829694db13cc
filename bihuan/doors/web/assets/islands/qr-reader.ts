// Reads QR codes from pictures where the browser has no BarcodeDetector of its own. Loaded only there; the page of
// a gate keeps it with its other files, so that it reads without a network too.
import decodeQR from "qr/decode.js";

export const address = import.meta.url;
const LONGEST = 1024; // pixels of the longer side: enough for a code that fills a fifth of the picture

export class QrReader {
  private readonly canvas = document.createElement("canvas");
  private readonly paper = this.canvas.getContext("2d", { willReadFrequently: true })!;

  async detect(video: HTMLVideoElement): Promise<{ rawValue: string }[]> {
    const { videoWidth, videoHeight } = video;
    if (!videoWidth || !videoHeight) return [];
    const scale = Math.min(1, LONGEST / Math.max(videoWidth, videoHeight));
    const width = Math.round(videoWidth * scale), height = Math.round(videoHeight * scale);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.paper.drawImage(video, 0, 0, width, height);
    try {
      return [{ rawValue: decodeQR(this.paper.getImageData(0, 0, width, height)) }];
    } catch {
      return []; // no code in this picture
    }
  }
}

// Every file in assets/entries is one entry; `{% vite_asset %}` finds its built name in manifest.json.
import { existsSync, readdirSync } from "node:fs";
import { defineConfig } from "vite";

const assets = "bihuan/doors/web/assets";
const entries = `${assets}/entries`;
const input = existsSync(entries)
  ? readdirSync(entries).filter((name) => /\.(ts|css)$/.test(name)).map((name) => `${entries}/${name}`)
  : [];

export default defineConfig({
  base: "./",
  publicDir: false,
  build: {
    outDir: "bihuan/doors/web/static/web/dist",
    emptyOutDir: true,
    manifest: "manifest.json",
    license: { fileName: "licenses.md" }, // of what is bundled from others
    assetsInlineLimit: 0, // a strict Content-Security-Policy allows no data: scripts or styles
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: { input },
  },
});

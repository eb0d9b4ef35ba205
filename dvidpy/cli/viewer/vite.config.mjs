// Neuroglancer as a folder of files. Vite 5: later ones leave out the workers.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vite";

// Neuroglancer's icons come from a newer state of ikonate than its last release: what that lacks is drawn plainly.
const ICONS = "ikonate/icons/";
const SQUARE =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2">' +
  '<rect x="5" y="5" width="14" height="14" rx="2"/></svg>';

const missingIcons = {
  name: "missing-icons",
  enforce: "pre",
  resolveId(id) {
    const missing = id.startsWith(ICONS) && !existsSync(join("node_modules", id.split("?")[0]));
    return missing ? `\0${id}` : null;
  },
  load(id) {
    return id.startsWith(`\0${ICONS}`) ? `export default ${JSON.stringify(SQUARE)}` : null;
  },
};

export default defineConfig({
  base: "",
  plugins: [missingIcons],
  worker: { format: "es", plugins: () => [missingIcons] },
  build: { target: "es2022", chunkSizeWarningLimit: 10000, reportCompressedSize: false },
  optimizeDeps: { exclude: ["neuroglancer"] },
});

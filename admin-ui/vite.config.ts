import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import manifest from "./package.json" with { type: "json" };
import { firstViewBudget, licenses, precompress } from "./scripts/vite-plugins";

// `npm run dev` serves the UI from source and forwards the API to a gateway, self-signed or not.
const gateway = process.env.TIDEWAY_DEV_GATEWAY ?? "https://127.0.0.1:8443";

export default defineConfig({
  // For `npm run dev`. A build has "./", so that the page finds its files below any path that a proxy puts in front of it.
  base: "/admin/",
  plugins: [
    react(),
    tailwindcss(),
    licenses(Object.keys(manifest.dependencies)),
    precompress(),
    firstViewBudget(150_000, /^geist-latin-/),
  ],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    target: ["chrome123", "firefox121", "safari17.5"],
    // The gateway's Content-Security-Policy allows files of its own only: nothing may become a data: font or an inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Far below the 1,024 files that a container may have open: Rollup reads a thousand modules at a time otherwise.
    rollupOptions: { maxParallelFileOps: 64 },
  },
  server: { proxy: { "/v1": { target: gateway, secure: false } } },
  test: { environment: "jsdom", include: ["tests/*.test.ts"] },
});

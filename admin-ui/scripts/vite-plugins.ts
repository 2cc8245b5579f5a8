/** What the build adds to Vite's output. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const COMPRESSIBLE = /\.(?:js|css|html|svg|txt)$/;

/** Leaves NAME.br and NAME.gz beside each file that gets smaller by it; the gateway embeds all of them. */
export function precompress(): Plugin {
  let outDir = "";
  return {
    name: "tideway-precompress",
    apply: "build",
    configResolved(config) {
      outDir = resolve(config.root, config.build.outDir);
    },
    closeBundle() {
      for (const path of readdirSync(outDir, { recursive: true, encoding: "utf8" })) {
        const file = join(outDir, path);
        if (!COMPRESSIBLE.test(file) || !statSync(file).isFile()) continue;
        const plain = readFileSync(file);
        const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
        const smaller = {
          br: brotliCompressSync(plain, { params }),
          gz: gzipSync(plain, { level: constants.Z_BEST_COMPRESSION }),
        };
        for (const [suffix, packed] of Object.entries(smaller)) {
          if (packed.length < plain.length) writeFileSync(`${file}.${suffix}`, packed);
        }
      }
    },
  };
}

/** The licences of everything that ends up in the bundle, as their authors ask, in licenses.txt. */
export function licenses(dependencies: readonly string[]): Plugin {
  return {
    name: "tideway-licenses",
    apply: "build",
    generateBundle() {
      const names = new Set(dependencies);
      for (const id of this.getModuleIds()) {
        const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
        if (name) names.add(name);
      }
      const texts = [...names].sort().map((name) => {
        const folder = resolve("node_modules", name);
        const file =
          existsSync(folder) && readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
        const { license, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
        const text = file ? readFileSync(join(folder, file), "utf8").trim() : "";
        return `${name} ${version} (${license})\n\n${text}`;
      });
      const source = texts.join(`\n\n${"-".repeat(80)}\n\n`);
      this.emitFile({ type: "asset", fileName: "licenses.txt", source: `${source}\n` });
    },
  };
}

/** Fails the build when what the first view loads (the page, what it names, the text font) is over `maxBytes`. */
export function firstViewBudget(maxBytes: number, font: RegExp): Plugin {
  let outDir = "";
  let base = "";
  return {
    name: "tideway-first-view-budget",
    apply: "build",
    configResolved(config) {
      outDir = resolve(config.root, config.build.outDir);
      base = config.base;
    },
    closeBundle() {
      const html = readFileSync(join(outDir, "index.html"), "utf8");
      const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) =>
        String(url).slice(base.length),
      );
      const fonts = readdirSync(join(outDir, "assets")).filter((name) => font.test(name));
      const files = ["index.html", ...named, ...fonts.map((name) => `assets/${name}`)];
      const bytes = files
        .map((name) => gzipSync(readFileSync(join(outDir, name))).length)
        .reduce((sum, size) => sum + size, 0);
      const summary = `first view: ${files.length} files, ${bytes} bytes gzipped, budget ${maxBytes}`;
      if (bytes > maxBytes) this.error(summary);
      this.info(summary);
    },
  };
}

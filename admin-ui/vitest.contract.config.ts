import { mergeConfig } from "vitest/config";
import base from "./vite.config";

/** `npm run test:contract`: against a real gateway, so not part of the plain tests. */
const config = mergeConfig(base, {});
config.test = { include: ["tests/contract/**/*.test.ts"], hookTimeout: 30_000 };
export default config;

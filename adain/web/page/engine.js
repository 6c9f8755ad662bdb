// Which engine computes the pictures. The static page has another one behind the same interface,
// which the top of engine_server.js describes.
export { createEngine } from "./engine_server.js";

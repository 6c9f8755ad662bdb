// Chooses the engine that computes the pictures. The static page has another engine with the same
// interface, which the comment at the top of engine_server.js describes.
export { createEngine } from "./engine_server.js";

// The camera: a photograph from getUserMedia().

import { element } from "./messages.js";

const WHY = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it in its settings for this page.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera is used by another program.",
};

export function createCamera(open) {
  const dialog = element("camera");
  const video = element("video");
  const shoot = element("shoot");
  let stream = null;
  if (!navigator.mediaDevices?.getUserMedia) {
    return;
  }
  document.querySelectorAll("[data-open-camera]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", begin);
  });

  async function begin() {
    shoot.disabled = true;
    element("camera-error").hidden = true;
    dialog.showModal();
    try {
      stream = await navigator.mediaDevices.getUserMedia(
        { video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1440 } } });
    } catch (error) {
      element("camera-error").textContent = WHY[error.name] ?? `The camera does not start: ${error.message}`;
      element("camera-error").hidden = false;
      return;
    }
    if (!dialog.open) {
      stop();
      return;
    }
    video.srcObject = stream;
    await video.play().catch(() => {});
    shoot.disabled = false;
    shoot.focus();
  }

  function stop() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
  }

  dialog.addEventListener("close", stop);
  element("camera-cancel").addEventListener("click", () => dialog.close());
  shoot.addEventListener("click", () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => {
      dialog.close();
      open(new File([blob], "camera.jpg", { type: "image/jpeg" }));
    }, "image/jpeg", 0.95);
  });
}

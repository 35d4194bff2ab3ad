// Frames of a clip, taken in the browser: the API takes pictures.

const N_FRAMES = 24;
const LONGEST_PX = 960;
const SEEK_MS = 8000;

const isClip = (file) => file.type.startsWith("video/");

/** Pictures as they are, clips as frames from beginning to end; raises what the browser says of a clip that it cannot play. */
export async function pictures(files) {
  const found = [];
  for (const file of files) found.push(...(isClip(file) ? await frames(file) : [file]));
  return found;
}

function once(video, name) {
  return new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error(`${name}: no answer`)), SEEK_MS);
    video.addEventListener(name, () => (clearTimeout(late), done()), { once: true });
    video.addEventListener("error", () => (clearTimeout(late), fail(video.error ?? new Error(name))), { once: true });
  });
}

async function frames(file) {
  const video = document.createElement("video");
  const url = URL.createObjectURL(file);
  video.muted = true;
  video.preload = "auto";
  video.src = url;
  try {
    await once(video, "loadeddata");
    const canvas = document.createElement("canvas");
    const ratio = Math.min(1, LONGEST_PX / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * ratio);
    canvas.height = Math.round(video.videoHeight * ratio);
    const found = [];
    for (let n = 0; n < N_FRAMES; n += 1) {
      const sought = once(video, "seeked");
      video.currentTime = ((n + 0.5) / N_FRAMES) * video.duration;
      await sought;
      canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
      const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
      found.push(new File([blob], `${file.name}-${n}.jpg`, { type: "image/jpeg" }));
    }
    return found;
  } finally {
    URL.revokeObjectURL(url);
  }
}

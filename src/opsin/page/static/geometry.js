// Where the photograph lies on the stage: x and y of its corner in the stage's pixels, and the scale
// from the photograph's pixels to them. Every function gives a new view.

export const LARGEST = 8; // pixels of the screen for one of the photograph

// The whole photograph, in the middle.
export function fitted(photo, stage) {
  const scale = Math.min(stage.width / photo.width, stage.height / photo.height);
  return kept({ x: 0, y: 0, scale }, photo, stage);
}

// Larger or smaller by a factor, such that what lies at `at` of the stage stays there.
export function zoomed(view, factor, at, photo, stage) {
  const least = fittingScale(photo, stage);
  const scale = Math.min(Math.max(view.scale * factor, least), Math.max(LARGEST, least));
  const by = scale / view.scale;
  return kept({ x: at.x - (at.x - view.x) * by, y: at.y - (at.y - view.y) * by, scale }, photo, stage);
}

export function moved(view, dx, dy, photo, stage) {
  return kept({ x: view.x + dx, y: view.y + dy, scale: view.scale }, photo, stage);
}

// In the middle where it is smaller than the stage, without a gap where it is larger.
export function kept(view, photo, stage) {
  const along = (at, length, room) =>
    length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, at));
  return {
    x: along(view.x, photo.width * view.scale, stage.width),
    y: along(view.y, photo.height * view.scale, stage.height),
    scale: view.scale,
  };
}

// On a stage of another size: what was seen whole still is, and what was closer stays as close.
export function resized(view, photo, before, stage) {
  const whole = view.scale <= fittingScale(photo, before) * 1.001;
  return whole || view.scale < fittingScale(photo, stage) ? fitted(photo, stage) : kept(view, photo, stage);
}

// A place of the stage in pixels of the photograph; null beside it.
export function toPhoto(view, at, photo) {
  const x = (at.x - view.x) / view.scale, y = (at.y - view.y) / view.scale;
  return x >= 0 && y >= 0 && x < photo.width && y < photo.height ? { x, y } : null;
}

// A place kept on the photograph.
export function within(place, photo) {
  const inside = (value, length) => Math.min(Math.max(value, 0), length - 1);
  return { x: inside(place.x, photo.width), y: inside(place.y, photo.height) };
}

// The longer side, in pixels, of the picture that is worth asking for.
export function sideFor(view, photo, ratio, most) {
  const wanted = Math.max(photo.width, photo.height) * Math.min(1, view.scale * ratio);
  return Math.min(most, Math.max(200, Math.ceil(wanted / 200) * 200));
}

function fittingScale(photo, stage) {
  return Math.min(stage.width / photo.width, stage.height / photo.height);
}

// How long the page was not its own: the longest task where the browser tells (Chromium), and the longest wait for a
// timer and for a frame everywhere.
const OBSERVED = PerformanceObserver.supportedEntryTypes.includes("longtask");

export function probing() {
  const gaps = { timer: 0, frame: 0 };
  const tasks = [];
  let running = true;
  let lastTimer = performance.now();
  let lastFrame = lastTimer;
  const began = lastTimer;
  let frames = 0;
  const timer = () => {
    const now = performance.now();
    gaps.timer = Math.max(gaps.timer, now - lastTimer);
    lastTimer = now;
    if (running) {
      setTimeout(timer, 0);
    }
  };
  const frame = (now) => {
    frames += 1;
    gaps.frame = Math.max(gaps.frame, now - lastFrame);
    lastFrame = now;
    if (running) {
      requestAnimationFrame(frame);
    }
  };
  setTimeout(timer, 0);
  requestAnimationFrame(frame);
  const observer = OBSERVED ? new PerformanceObserver((list) => tasks.push(...list.getEntries())) : null;
  observer?.observe({ type: "longtask" });
  return {
    async end() {
      const framesPerSecond = (frames / (performance.now() - began)) * 1000;
      // What was observed is told a little later.
      await new Promise((resolve) => setTimeout(resolve, 50));
      running = false;
      tasks.push(...(observer?.takeRecords() ?? []));
      observer?.disconnect();
      const longest = OBSERVED ? Math.max(0, ...tasks.map((task) => task.duration)) : null;
      return { framesPerSecond, timerGap: gaps.timer, frameGap: gaps.frame, longTask: longest };
    },
  };
}

import { type PointerEvent, useState } from "react";
import { formatDuration } from "@/lib/format";
import { HISTORY_MS, SAMPLE_MS, type Sample } from "@/lib/stats-history";
import { cn } from "@/lib/utils";

export interface Series {
  label: string;
  pick: (sample: Sample) => number | null;
  /** Colour classes are whole words here, since Tailwind finds them in the source. */
  stroke: string;
  fill: string;
  dot: string;
}

interface ChartProps {
  /** What the chart shows, for assistive technology. */
  label: string;
  samples: readonly Sample[];
  series: readonly Series[];
  format: (value: number) => string;
}

const WIDTH = 600;
const HEIGHT = 100;
const GRID = [0, 0.5, 1] as const;

/** The smallest of 1, 2, 5 × 10ⁿ that holds `value`, so that the axis keeps still while a line moves. */
export function niceCeiling(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => value <= factor * power) ?? 10;
  return step * power;
}

const WINDOWS_MS = [60_000, 120_000, HISTORY_MS] as const;

/** The shortest window that shows all samples: a young history is not a thin strip at the edge. */
export function windowOf(samples: readonly Sample[]): number {
  const age = (samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0);
  return WINDOWS_MS.find((ms) => age <= ms) ?? HISTORY_MS;
}

/** One subpath per unbroken run of values; a lone value gets a line of no length, which the round cap makes a dot. */
export function linePaths(points: ReadonlyArray<{ x: number; y: number } | null>): string[] {
  const paths: string[] = [];
  let run: string[] = [];
  for (const point of [...points, null]) {
    if (point) run.push(`${point.x.toFixed(1)} ${point.y.toFixed(1)}`);
    else if (run.length > 0) {
      paths.push(`M${run.length === 1 ? `${run[0]}L${run[0]}` : run.join("L")}`);
      run = [];
    }
  }
  return paths;
}

function areaOf(path: string): string {
  const first = path.slice(1).split(/[ L]/)[0];
  const last = path.slice(path.lastIndexOf("L") + 1).split(" ")[0];
  return `${path}L${last} ${HEIGHT}L${first} ${HEIGHT}Z`;
}

export function Chart({ label, samples, series, format }: ChartProps) {
  const [hover, setHover] = useState<number | null>(null);
  const end = samples.at(-1)?.at ?? 0;
  const values = samples.flatMap((sample) => series.map((one) => one.pick(sample) ?? 0));
  const ceiling = niceCeiling(Math.max(0, ...values));
  const windowMs = windowOf(samples);
  const xOf = (sample: Sample) => (1 - (end - sample.at) / windowMs) * WIDTH;
  const hovered = hover === null ? undefined : samples[hover];

  function onPointerMove(move: PointerEvent<HTMLElement>) {
    const box = move.currentTarget.getBoundingClientRect();
    const at = end - (1 - (move.clientX - box.left) / box.width) * windowMs;
    let nearest: number | null = null;
    for (const [index, sample] of samples.entries()) {
      const best = nearest === null ? undefined : samples[nearest];
      if (!best || Math.abs(sample.at - at) < Math.abs(best.at - at)) nearest = index;
    }
    const found = nearest === null ? undefined : samples[nearest];
    setHover(found && Math.abs(found.at - at) < 5 * SAMPLE_MS ? nearest : null);
  }

  return (
    <div>
      <div
        role="img"
        aria-label={summaryOf(label, samples, series, format)}
        className="relative h-24"
        onPointerMove={onPointerMove}
        onPointerLeave={() => setHover(null)}
      >
        <svg
          aria-hidden
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          className="absolute inset-0 size-full overflow-visible"
        >
          {GRID.map((share) => (
            <line
              key={share}
              x1={0}
              x2={WIDTH}
              y1={share * HEIGHT}
              y2={share * HEIGHT}
              vectorEffect="non-scaling-stroke"
              className="stroke-border"
              strokeDasharray={share === 1 ? undefined : "2 4"}
            />
          ))}
          {series.map(({ label: name, pick, stroke, fill }) => {
            const points = samples.map((sample) => {
              const value = pick(sample);
              const x = xOf(sample);
              return value === null || x < 0 ? null : { x, y: HEIGHT - (value / ceiling) * HEIGHT };
            });
            return linePaths(points).map((path) => (
              <g key={name + path.slice(0, 12)}>
                <path d={areaOf(path)} className={fill} />
                <path
                  d={path}
                  fill="none"
                  strokeWidth={1.75}
                  strokeLinecap="round"
                  strokeLinejoin="round"
                  vectorEffect="non-scaling-stroke"
                  className={stroke}
                />
              </g>
            ));
          })}
        </svg>
        <span
          aria-hidden
          className="absolute top-0.5 left-0 rounded-sm bg-card/70 pr-1 text-[0.6875rem] leading-tight text-muted-foreground tabular-nums"
        >
          {format(ceiling)}
        </span>
        {hovered && (
          <Readout
            sample={hovered}
            share={xOf(hovered) / WIDTH}
            ago={end - hovered.at}
            series={series}
            format={format}
          />
        )}
      </div>
      <div
        aria-hidden
        className="mt-1 flex justify-between text-[0.6875rem] text-muted-foreground tabular-nums"
      >
        <span>{formatDuration(windowMs)} ago</span>
        <span>now</span>
      </div>
    </div>
  );
}

interface ReadoutProps extends Pick<ChartProps, "series" | "format"> {
  sample: Sample;
  share: number;
  ago: number;
}

function Readout({ sample, share, ago, series, format }: ReadoutProps) {
  return (
    <div
      aria-hidden
      className="pointer-events-none absolute inset-y-0"
      style={{ left: `${share * 100}%` }}
    >
      <div className="h-full w-px bg-foreground/40" />
      <div
        className={cn(
          "absolute top-0 z-10 rounded-md border bg-popover px-2 py-1 text-xs whitespace-nowrap shadow-md",
          share > 0.5 ? "right-2" : "left-2",
        )}
      >
        {series.map(({ label, pick, dot }) => {
          const value = pick(sample);
          return (
            <div key={label} className="flex items-center gap-1.5 tabular-nums">
              <span className={cn("size-2 rounded-full", dot)} />
              {label}{" "}
              <strong className="ml-auto pl-2 font-semibold">
                {value === null ? "–" : format(value)}
              </strong>
            </div>
          );
        })}
        <div className="text-muted-foreground">
          {ago < SAMPLE_MS ? "now" : `${formatDuration(ago)} ago`}
        </div>
      </div>
    </div>
  );
}

function summaryOf(
  label: string,
  samples: readonly Sample[],
  series: readonly Series[],
  format: (value: number) => string,
): string {
  const parts = series.map(({ label: name, pick }) => {
    const values = samples.map(pick).filter((value) => value !== null);
    const last = samples.at(-1);
    const latest = last ? pick(last) : null;
    if (values.length === 0) return `${name}: no values yet`;
    return `${name}: now ${latest === null ? "no data" : format(latest)}, lowest ${format(Math.min(...values))}, highest ${format(Math.max(...values))}`;
  });
  return `${label}, last ${formatDuration(windowOf(samples))}. ${parts.join("; ")}`;
}

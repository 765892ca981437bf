// The chart of README.md: how many times as fast as libsignal everybody seals and unseals, on every
// line of Node.
import { BarChart, type BarSeriesOption } from 'echarts/charts';
import {
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  type GridComponentOption,
  type LegendComponentOption,
  type MarkLineComponentOption,
  type TitleComponentOption,
} from 'echarts/components';
import { init, use, type ComposeOption } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { EnvelopeResult } from '../envelope/report.js';
import { chartPanels, type ChartPanel } from './chart-data.js';
import { nodeLine } from './results.js';
import { formatNumber } from './table.js';

export const CHART_FILES = { light: 'envelope-light.svg', dark: 'envelope-dark.svg' } as const;
export type Theme = keyof typeof CHART_FILES;

type Option = ComposeOption<
  | BarSeriesOption
  | GridComponentOption
  | LegendComponentOption
  | MarkLineComponentOption
  | TitleComponentOption
>;

interface Colors {
  readonly text: string;
  readonly faint: string;
  /** Of the lines of Node, the oldest first. */
  readonly bars: readonly string[];
}

/**
 * GitHub's own text and rule colors; the bars step away from the background, the newest line the
 * farthest.
 */
const COLORS: Readonly<Record<Theme, Colors>> = {
  light: { text: '#1f2328', faint: '#d1d9e0', bars: ['#b6d4f5', '#7fb2ec', '#3d87d9', '#0b4f9e'] },
  dark: { text: '#f0f6fc', faint: '#3d444d', bars: ['#1d4373', '#2f6db5', '#5a9ded', '#b3d6ff'] },
};

const WIDTH = 880;
const BAR = 11;
const ROW_GAP = 11;
const TITLE_HEIGHT = 80;
const PANEL_TITLE_HEIGHT = 34;
const PANEL_BOTTOM = 30;
const LABELS_WIDTH = 236;
const RIGHT = 56;
const FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif";

use([BarChart, GridComponent, LegendComponent, MarkLineComponent, TitleComponent, SVGRenderer]);

export function renderChart(results: readonly EnvelopeResult[], theme: Theme): string {
  const panels = chartPanels(results);
  const heights = panels.map(({ rows }) => rows.length * (results.length * BAR + ROW_GAP));
  const height =
    TITLE_HEIGHT + heights.reduce((sum, each) => sum + PANEL_TITLE_HEIGHT + each + PANEL_BOTTOM, 0);
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption(option(results, panels, heights, COLORS[theme]));
    return `${stableIds(chart.renderToSVGString())}\n`;
  } finally {
    chart.dispose();
  }
}

function option(
  results: readonly EnvelopeResult[],
  panels: readonly ChartPanel[],
  heights: readonly number[],
  { text, faint, bars }: Colors,
): Option {
  const tops = heights.map(
    (_, i) =>
      TITLE_HEIGHT +
      PANEL_TITLE_HEIGHT +
      heights.slice(0, i).reduce((sum, each) => sum + each + PANEL_TITLE_HEIGHT + PANEL_BOTTOM, 0),
  );
  const largest = Math.max(
    1,
    ...panels.flatMap(({ rows }) => rows.flatMap(({ values }) => values.map((v) => v ?? 0))),
  );
  const step = largest <= 6 ? 1 : largest <= 16 ? 2 : 5;
  // With fewer than four lines the newest ones still stand out.
  const barColors = bars.slice(bars.length - Math.min(bars.length, results.length));
  return {
    animation: false,
    textStyle: { fontFamily: FONT, color: text },
    color: barColors,
    title: [
      {
        text: 'How many times as fast as libsignal’s addon',
        subtext: describe(results),
        left: 0,
        top: 6,
        padding: 0,
        itemGap: 8,
        textStyle: { fontFamily: FONT, fontSize: 17, fontWeight: 600, color: text },
        subtextStyle: { fontFamily: FONT, fontSize: 12, lineHeight: 17, color: text },
      },
      ...panels.map(({ title }, i) => ({
        text: title,
        left: 0,
        top: (tops[i] ?? 0) - PANEL_TITLE_HEIGHT + 8,
        padding: 0,
        textStyle: { fontFamily: FONT, fontSize: 14, fontWeight: 600 as const, color: text },
      })),
    ],
    legend: {
      right: RIGHT,
      top: TITLE_HEIGHT + 6,
      padding: 0,
      itemWidth: 14,
      itemHeight: 10,
      itemGap: 14,
      textStyle: { fontFamily: FONT, fontSize: 12, color: text },
      data: results.map(({ environment }) => nodeLine(environment)),
    },
    grid: heights.map((height, i) => ({
      left: LABELS_WIDTH,
      right: RIGHT,
      top: tops[i] ?? 0,
      height,
    })),
    xAxis: panels.map((_, gridIndex) => ({
      type: 'value',
      gridIndex,
      min: 0,
      max: Math.ceil(largest / step) * step,
      interval: step,
      axisLabel: { color: text, fontSize: 11, formatter: '{value}×' },
      splitLine: { lineStyle: { color: faint } },
    })),
    yAxis: panels.map(({ rows }, gridIndex) => ({
      type: 'category',
      gridIndex,
      inverse: true,
      data: rows.map(({ name }) => name),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: faint } },
      axisLabel: {
        color: text,
        fontSize: 12,
        interval: 0,
        width: LABELS_WIDTH - 12,
        overflow: 'break',
      },
    })),
    series: panels.flatMap(({ rows }, panel) =>
      results.map(({ environment }, i): BarSeriesOption => {
        const isFirst = i === 0;
        return {
          type: 'bar',
          name: nodeLine(environment),
          xAxisIndex: panel,
          yAxisIndex: panel,
          barWidth: BAR - 1,
          silent: true,
          emphasis: { disabled: true },
          barGap: '10%',
          data: rows.map(({ values }) => values[i] ?? '-'),
          label: {
            show: true,
            position: 'right',
            distance: 4,
            color: text,
            fontSize: 10,
            formatter: ({ value }) => (typeof value === 'number' ? formatTimes(value) : ''),
          },
          ...(isFirst && {
            markLine: {
              symbol: 'none',
              silent: true,
              lineStyle: { color: text, type: 'dashed', width: 1 },
              label: { formatter: 'libsignal', position: 'start', color: text, fontSize: 11 },
              data: [{ xAxis: 1 }],
            },
          }),
        };
      }),
    ),
  };
}

function formatTimes(value: number): string {
  return `${value < 0.1 ? value.toFixed(3) : formatNumber(value)}×`;
}

function describe(results: readonly EnvelopeResult[]): string {
  const { environment, cases } = results.at(-1) ?? {};
  const [full] = cases ?? [];
  const kernels = results
    .map(({ environment: each, kernel }) => `${nodeLine(each)}: ${kernel}`)
    .join(', ');
  return (
    `One v1 envelope, USMC of ${full?.contentBytes ?? ''} bytes, ${full?.recipientCount.toLocaleString('en-US') ?? ''} ` +
    `recipients a call; medians. ${environment?.cpu ?? ''}, ${environment?.cores ?? ''} cores.\nKernels: ${kernels}.`
  );
}

/**
 * The renderer numbers its charts and clip paths through the whole process; the file shall not
 * depend on that.
 */
function stableIds(svg: string): string {
  const numbers = new Map<string, number>();
  return svg.replace(/zr\d+-[\w-]+/g, (id) => {
    const number = numbers.get(id) ?? numbers.size;
    numbers.set(id, number);
    return `c${number}`;
  });
}

// Counts a broadcast and its answers with OpenTelemetry's SDK, and prints the metrics that an
// exporter would send.
import {
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  AggregationTemporality,
} from '@opentelemetry/sdk-metrics';
import { Demo } from '../support/demo.js';
import { recordMetrics } from './telemetry.js';

const SUBSCRIBERS = 5;

// A service has an exporter for its collector here.
const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter });
const provider = new MeterProvider({ readers: [reader] });
const stop = recordMetrics(provider.getMeter('sealcast'));

{
  await using demo = await Demo.open(SUBSCRIBERS);
  const { account, service, subscribers } = demo;
  account.receiver.discard();
  await service.subscribersSayHello();
  await account.broadcaster.broadcast({ body: 'Testing.' }, subscribers).summary();
}

const { resourceMetrics } = await reader.collect();
for (const metric of resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)) {
  const isHistogram = metric.dataPointType === DataPointType.HISTOGRAM;
  const points = isHistogram
    ? metric.dataPoints.map(({ attributes, value }) => ({
        attributes,
        shown: `${value.count} times`,
      }))
    : metric.dataPoints.map(({ attributes, value }) => ({
        attributes,
        shown: JSON.stringify(value),
      }));
  for (const { attributes, shown } of points) {
    const labels = Object.entries(attributes).map(([name, label]) => `${name}=${String(label)}`);
    console.log(`${metric.descriptor.name} {${labels.sort().join(', ')}} ${shown}`);
  }
}
stop();
await provider.shutdown();

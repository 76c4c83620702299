// The page's archives as written by report/page_data.py, and all their samples in one list.

const archives = page.archives;
const samples = archives.flatMap((archive, k) =>
  archive.samples.thumbnails.map((thumbnail, i) => ({
    archive: k,
    row: i,
    thumbnail,
    large: archive.samples.larges ? archive.samples.larges[i] : thumbnail,
    caption: archive.samples.captions[i],
    activations: archive.samples.activations[i],
    step: archive.samples.steps[i],
    chain: archive.samples.chain[i],
    shown: true,
  })),
);
const firstOf = archives.map((_, k) => samples.findIndex((sample) => sample.archive === k));

function sampleAt(k, row) {
  return samples[firstOf[k] + row];
}

// The percentile of an activation among natural images, from those at some levels.
function level(target, z) {
  const above = target.quantiles.findIndex((quantile) => quantile > z);
  if (above === 0) return "below nature";
  if (above < 0) return z > target.quantiles.at(-1) ? "above nature" : "p100";
  const [left, right] = [target.quantiles[above - 1], target.quantiles[above]];
  const [low, high] = [target.levels[above - 1], target.levels[above]];
  return `p${(low + ((high - low) * (z - left)) / (right - left)).toPrecision(3)}`;
}

// A value that its band's decimals would show as nothing but zeros keeps its leading digits, as in
// the captions.
function standing(target, z) {
  const fixed = z.toFixed(target.decimals);
  const text = z !== 0 && Number(fixed) === 0 ? z.toPrecision(3) : fixed;
  return target.quantiles ? `${text} (${level(target, z)})` : text;
}

function describe(sample) {
  const owner = archives.length > 1 ? ` of ${archives[sample.archive].name}` : "";
  const mark = markOf(sample) ? `, ${markOf(sample)} judges agree` : "";
  return `Row ${sample.row}${owner}, activation ${sample.caption}${mark}`;
}

/// How the work of a prediction is shared among threads, by arithmetic from the kernels' own rules: nothing is run or timed.
///
///   bench_scaling [MODEL] [BATCH] [IMAGE_SIZE]      default: resnet50 1 0 (its own)
///
/// For 1 to 64 threads: sections (threads are called together, and the caller waits for those that came), tasks of a section, how
/// much of the time the threads work where only the shares of tasks count, and what they read in all, of maps and of weights:
/// a part that several threads read is counted for each, since caches that they do not share read it each. The costs of
/// Winograd's steps are those of `winograd::is_profitable`.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "models.hpp"

using namespace minicnn;
using namespace minicnn::kernels;

namespace {

constexpr index_t bytes = sizeof(float);

struct totals {
  double sections = 0, tasks = 0, work = 0, longest = 0, megabytes = 0;

  /// A section of `count` tasks, task i of cost(i): each thread has its share of them in order (parallel_tasks).
  void section(int threads, index_t count, const std::function<double(index_t)>& cost, double read) {
    double all = 0, most = 0;
    const index_t shares = (std::min)(count, index_t{threads});
    for (index_t s = 0; s < shares; ++s) {
      double share = 0;
      for (index_t task = count * s / shares; task < count * (s + 1) / shares; ++task) share += cost(task);
      all += share, most = (std::max)(most, share);
    }
    sections += 1, tasks += static_cast<double>(count), work += all / threads, longest += most;
    megabytes += read * bytes / 1e6;
  }
};

/// Blocks of filters x positions: how many threads read a part of the maps and of the weights.
void blocked(totals& t, int threads, const block_grid& g, index_t m, index_t n, index_t depth, double maps, double weights) {
  const index_t count = g.count(), shares = (std::min)(count, index_t{threads});
  index_t map_parts = 0, weight_parts = 0;
  for (index_t s = 0; s < shares; ++s) {
    const index_t first = count * s / shares, last = count * (s + 1) / shares - 1;
    map_parts += last / g.row_blocks - first / g.row_blocks + 1;
    weight_parts += (std::min)(last - first + 1, g.row_blocks);
  }
  const auto cost = [&](index_t task) {
    const index_t i = task % g.row_blocks, j = task / g.row_blocks;
    return static_cast<double>((g.row(i + 1, m) - g.row(i, m)) * (g.column(j + 1, n) - g.column(j, n)) * depth);
  };
  t.section(threads, count, cost,
            maps * static_cast<double>(map_parts) / static_cast<double>(g.column_blocks) +
                weights * static_cast<double>(weight_parts) / static_cast<double>(g.row_blocks));
}

/// `planes` maps copied with their padding; an element counts as a multiply-add.
void copies(totals& t, int threads, index_t planes, double elements) {
  const index_t count = (std::min)(planes, index_t{4 * threads});
  t.section(
      threads, count, [&](index_t) { return elements / static_cast<double>(count); }, elements);
}

void direct(totals& t, const context& ctx, index_t batch, const conv_geometry& g) {
  const index_t pixels = batch * g.out_height() * g.out_width(), taps = g.group_channels() * g.taps();
  const padded_layout planes = padded_input(g);
  const double maps = static_cast<double>(batch * planes.image_size());
  if (!planes.is_copy()) copies(t, ctx.threads, batch * g.channels, maps);
  const tile<float> tile = choose_tile<float>(ctx, g.group_filters());
  const block_grid blocks = choose_blocks(ctx.threads, g.group_filters(), pixels, tile.rows, tile.columns,
                                          conv_limits<float>.rows, conv_limits<float>.columns, tile.column_unit());
  for (index_t group = 0; group < g.groups; ++group)
    blocked(t, ctx.threads, blocks, g.group_filters(), pixels, taps, maps / static_cast<double>(g.groups),
            static_cast<double>(g.group_filters() * taps));
}

void by_winograd(totals& t, const context& ctx, index_t batch, const conv_geometry& g) {
  const winograd::forward_plan<float> plan(batch, g);
  const int threads = ctx.threads;
  const index_t tiles = batch * plan.tiles.count(), width = tile_columns<float>(ctx.instruction_set);
  const double channels = static_cast<double>(plan.channels), filters = static_cast<double>(plan.filters);
  const double maps = static_cast<double>(batch * plan.planes.image_size()), weights = 36 * channels * filters;
  copies(t, threads, batch * g.channels, maps);
  if (plan.fused && tiles >= threads * width / 2) {
    const index_t chunk = winograd::share_of_tiles(tiles, plan.chunk, threads, tiles < threads * width ? width / 2 : width);
    const auto cost = [&](index_t task) { return 36 * channels * filters * double((std::min)(chunk, tiles - task * chunk)); };
    const index_t count = divide_up(tiles, chunk);
    t.section(threads, count, cost, maps + weights * static_cast<double>((std::min)(count, index_t{threads})));
    return;
  }
  const index_t most = plan.fused ? tiles : plan.chunk, chunk = even_piece(tiles, most, width);
  for (index_t first = 0; first < tiles; first += chunk) {
    const double here = static_cast<double>((std::min)(chunk, tiles - first));
    const index_t panels = divide_up((std::min)(chunk, tiles - first), width), pieces = divide_up(plan.channels, 32),
                  blocks = divide_up(plan.filters, 16);
    const bool own = 2 * channels * filters < here * (channels + filters) && panels >= threads;
    const index_t shares = own ? threads : (std::min)(panels, index_t{threads <= 9 ? 1 : divide_up(threads, 9)});
    const double points = 36 * here;
    t.section(
        threads, panels * pieces, [&](index_t) { return 20 * points * channels / double(panels * pieces); },
        maps * here / static_cast<double>(tiles));
    t.section(
        threads, 36 * shares, [&](index_t) { return points * channels * filters / double(36 * shares); },
        points * channels + weights * (own ? threads : static_cast<double>(shares)));
    t.section(
        threads, panels * blocks, [&](index_t) { return 20 * points * filters / double(panels * blocks); }, points * filters);
  }
}

conv_geometry geometry(const conv2d_options& o, const shape& x) {
  const padding2d pad = o.padding.resolve(x[2], x[3], o.kernel, o.stride, o.dilation);
  return {x[1],
          x[2],
          x[3],
          o.filters,
          o.kernel.height,
          o.kernel.width,
          o.stride.height,
          o.stride.width,
          o.dilation.height,
          o.dilation.width,
          pad.top,
          pad.bottom,
          pad.left,
          pad.right,
          o.groups};
}

/// Convolutions and dense layers; what else a folded network has is fused or small.
totals count(const network<float>& net, index_t batch, int threads) {
  const context ctx{threads, default_isa()};
  totals t;
  for (const graph_node<float>& n : net.nodes()) {
    if (n.operation == nullptr) continue;
    const shape& x = net.nodes()[static_cast<std::size_t>(n.inputs[0])].dims;
    if (n.operation->kind() == "conv2d") {
      const conv_geometry g = geometry(static_cast<const conv2d_op<float>&>(*n.operation).options(), x);
      if (is_depthwise(g)) continue;
      const auto way = winograd::is_chosen<float>(ctx, batch, g, true) ? by_winograd : direct;
      way(t, ctx, batch, g);
    } else if (n.operation->kind() == "dense") {
      const index_t units = n.dims[1], in = x[1];
      const int rows = choose_tile_rows(ctx.instruction_set, batch > 8 ? units : 4);
      t.section(
          threads, divide_up(units, rows), [&](index_t) { return static_cast<double>(batch * rows * in); },
          static_cast<double>(units * in + batch * in * threads));
    }
  }
  return t;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "resnet50";
  const index_t batch = argc > 2 ? std::atoi(argv[2]) : 1;
  for (const bench::model& m : bench::models()) {
    if (m.name != name || batch < 1) continue;
    const network<float> net = m.make(argc > 3 ? std::atoi(argv[3]) : 0);
    std::printf(
        "| threads | sections | tasks a section and thread | threads at work | read, MB | read, MB a thread |\n"
        "|---|---|---|---|---|---|\n");
    for (const int threads : {1, 2, 4, 8, 16, 32, 64}) {
      const totals t = count(net, batch, threads);
      std::printf("| %d | %.0f | %.1f | %.0f %% | %.0f | %.1f |\n", threads, t.sections, t.tasks / t.sections / threads,
                  100 * t.work / t.longest, t.megabytes, t.megabytes / threads);
    }
    return 0;
  }
  std::fprintf(stderr, "bench_scaling: no network '%s', or batch below 1\n", name.c_str());
  return 2;
}

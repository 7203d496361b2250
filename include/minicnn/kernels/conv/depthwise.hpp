#pragma once
/// Depthwise convolution: every channel has a filter of its own, so there is no product of matrices to make, and time is that of
/// reading and writing maps. All three passes work on a plane at a time, in buffers that stay in the cache
/// (depthwise_kernels.hpp). The input gradient is the same kernel over gradients of outputs, one phase of the stride at a time;
/// the weight gradient sums over a channel's planes, image after image.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/conv/depthwise_kernels.hpp"
#include "minicnn/kernels/conv/geometry.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Whether a convolution takes this way: a filter a channel, neighbouring taps, strides of 1 or 2.
inline bool is_depthwise(const conv_geometry& g) {
  return g.groups > 1 && g.group_channels() == 1 && g.group_filters() == 1 && g.dilation_h == 1 && g.dilation_w == 1 &&
         g.stride_h <= 2 && g.stride_w <= 2 && g.taps() > 1 && g.pad_top < g.kernel_h && g.pad_bottom < g.kernel_h &&
         g.pad_left < g.kernel_w && g.pad_right < g.kernel_w;
}

/// Layouts of the buffers, and sizes of what is made from them.
template <class T>
struct depthwise_plan {
  conv_geometry g;
  depthwise_layout input, output;                           ///< of the map; of the output's gradient for the weights
  depthwise_layout gradient;                                ///< of the output's gradient for the input
  index_t gradient_rows, gradient_columns, gradient_plane;  ///< of a phase of the input's gradient

  explicit depthwise_plan(const conv_geometry& geometry) : g(geometry) {
    const index_t h = g.out_height(), w = g.out_width(), lanes = pack_slack<T>, steps_h = (g.kernel_h - 1) / g.stride_h,
                  steps_w = (g.kernel_w - 1) / g.stride_w;
    gradient_rows = (g.height - 1 + g.pad_top) / g.stride_h + 1;
    gradient_columns = round_up((g.width - 1 + g.pad_left) / g.stride_w + 1, lanes);
    gradient_plane = gradient_rows * gradient_columns + lanes;
    const index_t top = divide_up(g.pad_top, g.stride_h), left = divide_up(g.pad_left, g.stride_w);
    input =
        layout({g.height, g.width, g.stride_h, g.stride_w, top, top + h + phase(g.kernel_h - 1 - g.pad_top, g.stride_h).whole},
               (std::max)(divide_up(g.width, g.stride_w) + left, w + phase(g.kernel_w - 1 - g.pad_left, g.stride_w).whole));
    output = layout({h, w, 1, 1, 0, h}, w);
    gradient = layout({h, w, 1, 1, steps_h, steps_h + gradient_rows}, (std::max)(w + steps_w, gradient_columns));
  }

  bool joins() const { return g.stride_h * g.stride_w > 1; }  ///< whether the input's gradient is made in phases
  index_t buffer() const { return (std::max)(input.size(), gradient.size()); }
  /// The second buffer of the weight gradient, or phases of the input's.
  index_t sums() const { return (std::max)(output.size(), g.stride_h * g.stride_w * gradient_plane); }
  index_t thread_bytes() const {
    return scratch::bytes_for<T>(buffer()) + scratch::bytes_for<T>(sums()) + scratch::bytes_for<T>(g.taps() * pack_slack<T>);
  }

 private:
  depthwise_layout layout(depthwise_layout l, index_t columns) const {
    l.columns = round_up(columns, pack_slack<T>);
    l.lead = round_up(g.kernel_w, pack_slack<T>);
    l.plane_size = l.lead + (l.rows + depthwise_rows) * l.columns + 2 * pack_slack<T> + l.lead;
    return l;
  }
};

/// Scratch of each pass.
template <class T>
index_t depthwise_scratch_bytes(int threads, const conv_geometry& g) {
  const depthwise_plan<T> plan(g);
  return scratch::bytes_for<depthwise_run>(g.taps()) + threads * plan.thread_bytes();
}

/// Memory of a thread.
template <class T>
struct depthwise_buffers {
  T *plane, *sums, *lanes;
};

/// Calls `body(first, last, buffers)` for stretches of `count` planes or channels. The plane is zero at first, and the
/// sums if `with_sums`.
template <class T, class F>
void each_depthwise_stretch(const context& ctx, index_t count, const depthwise_plan<T>& plan, bool with_sums, scratch& work,
                            const F& body) {
  const index_t bytes = plan.thread_bytes();
  std::byte* const memory = work.take<std::byte>(ctx.threads * bytes);
  const index_t tasks = (std::min)(count, index_t{16} * ctx.threads);
  parallel_tasks(ctx.threads, tasks, [&](index_t task, int thread) {
    scratch mine(memory + thread * bytes, bytes);
    depthwise_buffers<T> b{mine.take<T>(plan.buffer()), mine.take<T>(plan.sums()), mine.take<T>(plan.g.taps() * pack_slack<T>)};
    std::fill(b.plane, b.plane + plan.buffer(), T{0});
    if (with_sums) std::fill(b.sums, b.sums + plan.sums(), T{0});
    body(count * task / tasks, count * (task + 1) / tasks, b);
  });
}

/// Calls `body(first tap, count)` for the runs of a filter: taps of one column, a vertical stride apart, from the phase (h, w)
/// on.
template <class F>
void each_depthwise_run(const conv_geometry& g, index_t h, index_t w, const F& body) {
  for (index_t kh = h; kh < g.kernel_h; kh += depthwise_taps * g.stride_h)
    for (index_t kw = w; kw < g.kernel_w; kw += g.stride_w)
      body(kh, kw, (std::min)(divide_up(g.kernel_h - kh, g.stride_h), index_t{depthwise_taps}));
}

/// The runs of a filter over the input. Returns how many.
template <class T>
index_t depthwise_runs(const depthwise_plan<T>& plan, depthwise_run* to) {
  const conv_geometry& g = plan.g;
  depthwise_run* run = to;
  for (index_t at = 0; at < g.stride_h * g.stride_w; ++at)
    each_depthwise_run(g, at / g.stride_w, at % g.stride_w, [&](index_t kh, index_t kw, index_t count) {
      *run = {plan.input.offset(kh - g.pad_top, kw - g.pad_left), static_cast<int>(count), {}};
      for (index_t t = 0; t < count; ++t) run->weight[t] = (kh + t * g.stride_h) * g.kernel_w + kw;
      ++run;
    });
  return run - to;
}

/// Makes all planes of `job`, whose buffers are set here.
template <class T>
void make_depthwise_planes(const context& ctx, const depthwise_plan<T>& plan, const depthwise_job<T>& job, scratch& work) {
  each_depthwise_stretch<T>(
      ctx, job.from.planes, plan, job.sum_plane != 0, work, [&](index_t begin, index_t end, const depthwise_buffers<T>& b) {
        depthwise_job<T> mine = job;
        mine.from.buffer = b.plane;
        if (job.sum_plane != 0) mine.sums = b.sums;
        dispatch<depthwise_kernel>(ctx.instruction_set, static_cast<const depthwise_job<T>*>(&mine), begin, end);
      });
}

/// Convolution; `weight` (channels, 1, kernel_h, kernel_w).
template <class T>
void depthwise_forward(const context& ctx, index_t batch, const conv_geometry& g, const conv_operands<T>& o, const T* weight,
                       scratch& work) {
  const depthwise_plan<T> plan(g);
  depthwise_run* const runs = work.take<depthwise_run>(g.taps());
  const depthwise_job<T> job{.from = {plan.input, o.x, batch * g.channels},
                             .weight = weight,
                             .channels = g.channels,
                             .taps = g.taps(),
                             .runs = runs,
                             .run_count = {depthwise_runs(plan, runs)},
                             .bias = o.bias,
                             .rows = g.out_height(),
                             .columns = g.out_width(),
                             .to = o.y,
                             .image_step = o.image_step(g),
                             .add = o.add,
                             .activation = o.activation};
  make_depthwise_planes(ctx, plan, job, work);
}

/// dx = (or += if `add`) the gradient of the input. Results whose padded position has the same remainders of the strides meet the
/// same taps: those of these remainders, the last of them first.
template <class T>
void depthwise_backward_input(const context& ctx, index_t batch, const conv_geometry& g, const T* dy, const T* weight, T* dx,
                              bool add, scratch& work) {
  const depthwise_plan<T> plan(g);
  depthwise_run* const runs = work.take<depthwise_run>(g.taps());
  depthwise_run* run = runs;
  index_t count[4] = {};
  // Without phases results are made in their place, so padding is left out.
  const index_t top = plan.joins() ? 0 : g.pad_top, left = plan.joins() ? 0 : g.pad_left;
  for (index_t at = 0; at < g.stride_h * g.stride_w; ++at)
    each_depthwise_run(g, at / g.stride_w, at % g.stride_w, [&](index_t kh, index_t kw, index_t taps) {
      const index_t last = kh / g.stride_h + taps - 1;
      *run = {plan.gradient.offset(top - last, left - kw / g.stride_w), static_cast<int>(taps), {}};
      for (index_t t = 0; t < taps; ++t) run->weight[t] = (kh + (taps - 1 - t) * g.stride_h) * g.kernel_w + kw;
      ++run, ++count[at];
    });
  const depthwise_job<T> job{.from = {plan.gradient, dy, batch * g.channels},
                             .weight = weight,
                             .channels = g.channels,
                             .taps = g.taps(),
                             .runs = runs,
                             .run_count = {count[0], count[1], count[2], count[3]},
                             .top = g.pad_top,
                             .left = g.pad_left,
                             .stride_h = g.stride_h,
                             .stride_w = g.stride_w,
                             .sum_rows = plan.gradient_rows,
                             .sum_columns = plan.gradient_columns,
                             .sum_plane = plan.joins() ? plan.gradient_plane : 0,
                             .rows = g.height,
                             .columns = g.width,
                             .to = dx,
                             .image_step = g.channels * g.height * g.width,
                             .add = add};
  make_depthwise_planes(ctx, plan, job, work);
}

/// The gradient of the weights. A channel is one thread's, so that sums have one order.
template <class T>
void depthwise_backward_weight(const context& ctx, index_t batch, const conv_geometry& g, const weight_gradient_operands<T>& o,
                               scratch& work) {
  const depthwise_plan<T> plan(g);
  depthwise_run* const runs = work.take<depthwise_run>(g.taps());
  const index_t count = depthwise_runs(plan, runs);
  each_depthwise_stretch<T>(ctx, g.channels, plan, true, work, [&](index_t begin, index_t end, const depthwise_buffers<T>& b) {
    const depthwise_source<T> x{plan.input, o.x, batch * g.channels, b.plane}, dy{plan.output, o.dy, batch * g.channels, b.sums};
    for (index_t c = begin; c < end; ++c) {
      std::fill(b.lanes, b.lanes + g.taps() * pack_slack<T>, T{0});
      for (index_t plane = c; plane < batch * g.channels; plane += g.channels)
        dispatch<depthwise_weight_kernel>(ctx.instruction_set, &x, &dy, plane, plane + g.channels,
                                          static_cast<const depthwise_run*>(runs), count, b.lanes);
      T* const to = o.dweight + c * g.taps();
      if (!o.add_weight) std::fill(to, to + g.taps(), T{0});
      dispatch<depthwise_lanes_kernel>(ctx.instruction_set, static_cast<const T*>(b.lanes), g.taps(), to);
    }
  });
  if (o.dbias != nullptr) channel_sums(ctx, o.dy, batch, g.channels, g.out_height() * g.out_width(), o.dbias, o.add_bias);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels

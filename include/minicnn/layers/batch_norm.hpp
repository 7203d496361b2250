#pragma once
/// Batch normalisation: Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal
/// covariate shift", ICML 2015.

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/graph/passes/channel_map.hpp"
#include "minicnn/kernels/norm/batch_norm.hpp"

namespace minicnn::inline MINICNN_ABI {

struct batch_norm_options {
  /// Added to the variance before the root is taken.
  double eps = 1e-5;

  /// Share of the newest batch in the running statistics (PyTorch's meaning; TensorFlow and ONNX state 1 - momentum).
  double momentum = 0.1;

  /// Whether each channel has a weight and a bias. Off: neither.
  bool affine = true;

  /// Whether an affine channel has a weight. Off: it stays 1, as in networks that train fast with the bias alone.
  bool scale = true;

  /// Whether an affine channel has a bias. Off: it stays 0.
  bool bias = true;

  /// Initial value of every weight. 0 in the last normalisation of a residual block lets it begin as the identity (Goyal et al.,
  /// "Accurate, large minibatch SGD", 2017, section 5.1).
  double scale_init = 1.0;

  /// Node name; empty: bn1, bn2, ...
  std::string name = {};
};

/// x (n, c, h, w) or (n, c) -> y of the same shape: (x - mean) / sqrt(variance + eps) * weight + bias, per channel.
///
/// In training mean and (biased) variance are those of the batch, and the buffers follow them: running_mean (first 0) and
/// running_var (first 1; of the unbiased variance, as in PyTorch). In evaluation the buffers are used, and backward treats them
/// as constants: that is frozen batch normalisation. Parameters without weight decay: weight (first `scale_init`), bias (first
/// 0), where the options have them.
template <class T>
class batch_norm_op final : public op<T>, public channel_mapping<T> {
 public:
  explicit batch_norm_op(batch_norm_options o) : o_(std::move(o)) {}

  const batch_norm_options& options() const { return o_; }

  std::string_view kind() const override { return "batch_norm"; }
  const channel_mapping<T>* as_channel_mapping() const override { return this; }
  op_role role() const override { return op_role::normalization; }

  MINICNN_COLD std::vector<channel_map> channel_maps(std::span<const view<const T>> parameters,
                                                     std::span<const view<const T>> buffers) const override {
    std::vector<channel_map> maps(static_cast<std::size_t>(buffers[0].size()));
    for (std::size_t c = 0; c < maps.size(); ++c) {
      const auto i = static_cast<index_t>(c);
      maps[c] = {static_cast<double>(buffers[0][i]), 1.0 / std::sqrt(static_cast<double>(buffers[1][i]) + o_.eps), 0.0};
      if (has_weight()) maps[c].scale *= static_cast<double>(parameters[0][i]);
      if (has_bias()) maps[c].shift = static_cast<double>(parameters[static_cast<std::size_t>(bias_place())][i]);
    }
    return maps;
  }

  /// `momentum` is PyTorch's; ONNX's attribute of that name is 1 - momentum.
  MINICNN_COLD attribute_list describe() const override {
    return {{"epsilon", o_.eps}, {"momentum", o_.momentum}, {"affine", o_.affine}, {"scale", has_weight()}, {"bias", has_bias()}};
  }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (!(o_.eps > 0.0)) fail<option_error>("eps must be above 0, got ", o_.eps);
    if (!(o_.momentum >= 0.0 && o_.momentum <= 1.0)) fail<option_error>("momentum must be in 0 to 1, got ", o_.momentum);
    if (x.rank() != 2 && x.rank() != 4) fail<shape_error>("batch normalisation wants (n, c, h, w) or (n, c), got ", x);
    op_plan p;
    p.output = x;
    if (has_weight()) p.parameters.push_back({"weight", {x[1]}, 1, 1, initializer::constant(o_.scale_init), false});
    if (has_bias()) p.parameters.push_back({"bias", {x[1]}, 1, 1, initializer::constant(0.0), false});
    p.buffers = {{"running_mean", {x[1]}, 0.0}, {"running_var", {x[1]}, 1.0}};
    if (request.training) {
      p.saved_bytes = x[1] * static_cast<index_t>(sizeof(kernels::norm_statistics));
      p.forward_scratch_bytes = p.backward_scratch_bytes = kernels::batch_norm_scratch_bytes<T>(extents(x));
    }
    p.backward_reads_input = true;
    p.gradient_in_place = true;
    p.fuses_activation = p.returns_activation = true;
    return p;
  }

  /// In training throws shape_error if the batch has a single value per channel, whose variance says nothing.
  void forward(const frame<T>& f) const override {
    const kernels::norm_extents e = extents(f.input().dims());
    const T *x = f.input().data(), *weight = weight_of(f), *bias = bias_of(f);
    if (!f.training) return kernels::batch_norm_forward(f.ctx, e, running(f), weight, bias, f.activation, x, f.output.data());
    if (e.count() < 2 && e.channels > 0)
      fail<shape_error>("batch normalisation needs more than one value per channel in training, got ", f.input().dims());
    scratch work = f.work();
    kernels::batch_norm_forward_batch(f.ctx, e, o_.eps, o_.momentum, weight, bias, f.activation, x, f.output.data(),
                                      reinterpret_cast<kernels::norm_statistics*>(f.saved), f.updated_buffer(0).data(),
                                      f.updated_buffer(1).data(), work);
  }

  void backward(const frame<T>& f) const override {
    const kernels::norm_extents e = extents(f.input().dims());
    const gradient_target<T>& dx = f.input_gradient();
    kernels::norm_gradients<T> out{dx.data.data(), nullptr, nullptr, dx.add, false, false};
    if (has_weight()) out.weight = f.parameter_gradient(0).data.data(), out.add_weight = f.parameter_gradient(0).add;
    if (has_bias()) {
      const gradient_target<T>& db = f.parameter_gradient(bias_place());
      out.bias = db.data.data(), out.add_bias = db.add;
    }
    const T *x = f.input().data(), *g = f.output_gradient.data(), *weight = weight_of(f), *bias = bias_of(f);
    const auto* saved = reinterpret_cast<const kernels::norm_statistics*>(f.saved);
    scratch work = f.work();
    if (f.training)
      kernels::batch_norm_backward(
          f.ctx, e, [saved](index_t c) { return saved[c]; }, false, weight, bias, f.returned, x, g, out, work);
    else
      kernels::batch_norm_backward(f.ctx, e, running(f), true, weight, bias, f.returned, x, g, out, work);
  }

 private:
  static kernels::norm_extents extents(const shape& x) { return {x[0], x[1], x.size_from(2)}; }

  bool has_weight() const { return o_.affine && o_.scale; }
  bool has_bias() const { return o_.affine && o_.bias; }
  int bias_place() const { return has_weight() ? 1 : 0; }
  const T* weight_of(const frame<T>& f) const { return has_weight() ? f.parameter(0).data() : nullptr; }

  const T* bias_of(const frame<T>& f) const { return has_bias() ? f.parameter(bias_place()).data() : nullptr; }

  /// The running statistics of channel c.
  auto running(const frame<T>& f) const {
    return [mean = f.buffer(0).data(), variance = f.buffer(1).data(), eps = o_.eps](index_t c) {
      return kernels::norm_statistics{static_cast<double>(mean[c]), 1.0 / std::sqrt(static_cast<double>(variance[c]) + eps)};
    };
  }

  batch_norm_options o_;
};

/// Batch normalisation. Throws option_error for eps not above 0 or a momentum outside 0 to 1.
template <class T>
MINICNN_COLD node<T> batch_norm(node<T> x, batch_norm_options o = {}) {
  return x.owner->add(make_op<batch_norm_op<T>>(o), {x}, o.name, "bn");
}

MINICNN_COMPILED_CLASS(batch_norm_op);

}  // namespace minicnn::inline MINICNN_ABI

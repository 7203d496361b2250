#pragma once
/// The contract of a layer: functions over views. A layer holds hyper-parameters only; networks and sessions own all memory.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/context.hpp"
#include "minicnn/core/random.hpp"
#include "minicnn/core/tensor.hpp"
#include "minicnn/graph/initializer.hpp"
#include "minicnn/kernels/simd/fused_activation.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A hyper-parameter's value.
using attribute_value = std::variant<bool, index_t, double, std::string, std::vector<index_t>>;

/// A layer's hyper-parameters by name, in a fixed order. Summary, saving and export read these, so no file outside the layer
/// needs to know its class. Names follow ONNX where it has the notion (`strides`, `pads` as top, left, bottom, right).
using attribute_list = std::vector<std::pair<std::string, attribute_value>>;

/// A trainable tensor that an op wants.
struct parameter_spec {
  std::string name;  ///< "weight", "bias"; the network prefixes the node's name: "conv1.weight"
  shape dims;
  index_t fan_in = 1;
  index_t fan_out = 1;
  initializer init = initializer::he();
  bool decay = true;  ///< whether weight decay applies by default: yes for weights, no for biases and normalisation
  bool int8 = false;  ///< whole numbers from -127 to 127, which files store as such
};

/// A tensor that is saved with the weights but not trained: written by forward in training only.
struct buffer_spec {
  std::string name;  ///< "running_mean"
  shape dims;
  double initial = 0.0;
};

/// Input of `plan`. Axis 0 of every shape is the batch.
struct plan_request {
  std::span<const shape> inputs;
  bool training = true;  ///< false: only forward in evaluation mode will follow
  context ctx;
  bool prepack_weights = false;  ///< parameters will not change, so `prepack` may keep another form of them (prediction only)
};

/// What an op answers. Memory planning, summary, initialisation, saving and gradient checking all read this.
struct op_plan {
  shape output;
  index_t output_bytes = 0;  ///< above 0: the value is so many bytes of 8-bit numbers (int8/), not numbers of the network's type
  bool reads_bytes = false;  ///< inputs are such values
  std::vector<parameter_spec> parameters;
  std::vector<buffer_spec> buffers;
  index_t saved_bytes = 0;             ///< written by forward in training, read by backward
  index_t forward_scratch_bytes = 0;   ///< valid during forward only; must not shrink when the batch grows
  index_t backward_scratch_bytes = 0;  ///< valid during backward only
  index_t packed_weight_bytes = 0;     ///< written by `prepack`, read by forward; only where the request says `prepack_weights`
  index_t multiply_adds = 0;           ///< of forward, for the whole batch
  bool backward_reads_input = false;   ///< inputs are kept until backward
  bool backward_reads_output = false;  ///< the output is kept until backward
  bool in_place = false;               ///< the output may take the place of input 0 (same size)
  bool gradient_in_place = false;      ///< the gradient of input 0 may take the place of the output's gradient
  bool fuses_activation = false;       ///< forward honours `frame::activation`
  bool returns_activation = false;     ///< backward honours `frame::returned`
  bool fuses_add = false;              ///< forward honours `frame::apply_add`
  bool writes_slices = false;          ///< forward honours `frame::output_image`
};

/// What passes over a graph may know of an operation without knowing its class.
enum class op_role {
  other,
  relu,           ///< max(x, 0)
  concat,         ///< its inputs one behind the other along axis 1; passes over inputs that are there already
  add,            ///< the sum of its inputs; of two may be fused into an operation that makes one of them, if that `fuses_add`
  pooling,        ///< values of windows
  normalization,  ///< a value of 0 does not say that nothing was found
  dropout,        ///< does nothing in evaluation mode
};

/// Where a gradient goes. `add` tells whether to add to what is there or to write (what is there is garbage then).
template <class T>
struct gradient_target {
  view<T> data;
  bool add = false;
  bool wanted() const { return data.present(); }
};

/// Everything that one call of forward or backward may touch.
template <class T>
struct frame {
  context ctx;
  bool training = false;                         ///< batch statistics and dropout are on
  kernels::fused_activation<T> activation = {};  ///< applied to results; none unless the plan said `fuses_activation`
  bool apply_add = false;    ///< the result is added to what `output` holds, before the activation; only if the plan `fuses_add`
  index_t output_image = 0;  ///< elements from image to image of `output`, if other values lie between; 0: they follow each other
  random_key random;         ///< differs per network seed, step and node; use `random.of(sample)`

  std::span<const view<const T>> inputs;
  view<T> output;
  std::span<const view<const T>> parameters;
  std::span<const view<const T>> buffers;
  std::span<const view<T>> updated_buffers;  ///< in training the same memory as `buffers`, to be written; else not present
  std::byte* saved = nullptr;
  std::byte* packed_weights = nullptr;  ///< what `prepack` made of the parameters; null: nothing, forward reads them
  index_t planned_batch = 0;            ///< what `prepack` was planned for; batches may be smaller
  std::byte* scratch_block = nullptr;
  index_t scratch_bytes = 0;

  // backward only
  kernels::fused_activation<T> returned = {};  ///< bounds whose gradient is left to this op: `output_gradient` is behind them
  view<const T> output_gradient;               ///< shares memory with input_gradients[0] where the plan said `gradient_in_place`
  std::span<const gradient_target<T>> input_gradients;      ///< one per input; not `wanted()` where nothing needs it
  std::span<const gradient_target<T>> parameter_gradients;  ///< one per parameter; not `wanted()` when frozen

  const view<const T>& input(int i = 0) const { return inputs[static_cast<std::size_t>(i)]; }
  const view<const T>& parameter(int i) const { return parameters[static_cast<std::size_t>(i)]; }
  const view<const T>& buffer(int i) const { return buffers[static_cast<std::size_t>(i)]; }
  const view<T>& updated_buffer(int i) const { return updated_buffers[static_cast<std::size_t>(i)]; }
  const gradient_target<T>& input_gradient(int i = 0) const { return input_gradients[static_cast<std::size_t>(i)]; }
  const gradient_target<T>& parameter_gradient(int i) const { return parameter_gradients[static_cast<std::size_t>(i)]; }
  /// The scratch of this call, to be divided with `take`.
  scratch work() const { return scratch(scratch_block, scratch_bytes); }
};

// Interfaces for passes over the graph: graph/passes/channel_map.hpp.
template <class T>
class channel_mapping;
template <class T>
class channel_map_producer;

/// A layer. `conv2d_op<double>` runs the same code as `conv2d_op<float>`, under the gradient checker.
template <class T>
class op {
 public:
  virtual ~op() = default;

  /// "conv2d", "max_pool": the layer's name in files and tables.
  virtual std::string_view kind() const = 0;

  virtual attribute_list describe() const = 0;

  /// What it is to passes over the graph. An op that wraps another op must forward this call.
  virtual op_role role() const { return op_role::other; }

  /// An activation: what it does to every value, which the operation before it may do as it stores them, if that
  /// `fuses_activation`. An op that wraps another op must forward this call.
  virtual std::optional<kernels::fused_activation<T>> activation(isa) const { return std::nullopt; }

  /// Itself, in an op that has the interface, else null (a dynamic_cast without RTTI). An op that wraps another op must not
  /// forward these calls.
  virtual const channel_mapping<T>* as_channel_mapping() const { return nullptr; }
  virtual const channel_map_producer<T>* as_channel_map_producer() const { return nullptr; }

  /// Checks the input shapes and says what is needed. Throws shape_error or option_error; the graph puts the node's name
  /// before the text. Called with other batch and image sizes again; parameters must not depend on the batch.
  virtual op_plan plan(const plan_request& request) const = 0;

  /// Writes `packed_weights`: the parameters in the form that forward wants. Called once per plan, where the plan has
  /// `packed_weight_bytes`. An op that wraps another op must forward this call.
  virtual void prepack(const frame<T>&) const {}

  /// Writes `output` (every element; with `apply_add` it adds), `saved` whenever it is not null (a frozen node runs in evaluation
  /// mode, and gradients pass through it), and in training the buffers. Must not allocate.
  virtual void forward(const frame<T>& f) const = 0;

  /// Writes or adds to the wanted gradients of inputs and parameters. Must not allocate.
  virtual void backward(const frame<T>& f) const = 0;
};

}  // namespace minicnn::inline MINICNN_ABI

#include "inference.hpp"

#include <algorithm>
#include <cmath>

#include "commands.hpp"
#include "option_values.hpp"

namespace cli {

using minicnn::fail;
using minicnn::index_t;

void add_inference_options(CLI::App& command, inference_options& o) {
  command.add_option("--weights", o.weights, "weights file that train wrote")->required();
  command.add_option("--tta", o.tta, "test-time augmentation: none, flip or ten-crop (default: what the weights file says)")
      ->transform(one_of({"none", "flip", "ten-crop"}));
  command
      .add_option("--image-size", o.image_size,
                  "pixels a side, for networks that take any size (default: what the weights file says)")
      ->transform(whole_from(1, 8192));
  command.add_option("--temperature", o.temperature, "divides the logits (default: what the weights file says)")
      ->transform(number_from(least_temperature, most_temperature));
  command.add_option("--batch-size", o.batch_size, "pictures at once")->transform(whole_from(1, 65536))->capture_default_str();
  command.add_option("--threads", o.threads, "0: all processors")
      ->transform(whole_from(0, minicnn::max_threads))
      ->capture_default_str();
}

loaded_model load_for_inference(const inference_options& o) {
  loaded_model model = load_model(o.weights, o.threads);
  minicnn::image_transform& picture = model.info.picture;
  if (o.temperature) model.info.temperature = *o.temperature;
  if (!o.image_size || *o.image_size == picture.size) return model;
  const index_t size = *o.image_size;
  if (picture.resize_to != 0) {
    const double ratio = static_cast<double>(picture.resize_to) / static_cast<double>(picture.size);
    picture.resize_to = (std::max)(size, static_cast<index_t>(std::llround(ratio * static_cast<double>(size))));
  }
  picture.size = size;
  try {
    (void)model.net.plans({1, model.info.model.channels, size, size});
  } catch (const minicnn::error& e) {
    throw usage_error(minicnn::text_of("--image-size ", size, ": ", e.what()));
  }
  return model;
}

std::string chosen_views(const inference_options& o, const weights_info& info) { return o.tta.value_or(info.tta); }

std::string without_path(const std::string& text, const std::string& path) {
  return text.starts_with(path + ": ") ? text.substr(path.size() + 2) : text;
}

std::vector<double> log_softmax(std::span<const float> logits, index_t classes, double temperature) {
  std::vector<double> out(logits.begin(), logits.end());
  for (auto row = out.begin(); row != out.end(); row += classes) {
    const double top = *std::max_element(row, row + classes) / temperature;
    double sum = 0;
    for (auto z = row; z != row + classes; ++z) sum += std::exp(*z = *z / temperature - top);
    for (auto z = row; z != row + classes; ++z) *z -= std::log(sum);
  }
  return out;
}

namespace {

std::vector<minicnn::image_transform> transforms(const weights_info& info, const std::string& tta) {
  const auto views = tta == "flip"       ? minicnn::test_views::flip
                     : tta == "ten-crop" ? minicnn::test_views::ten_crop
                                         : minicnn::test_views::one;
  try {
    return views_of(info.picture, views);
  } catch (const minicnn::option_error& e) {
    throw usage_error("--tta " + tta + ": " + e.what());
  }
}

/// log of the mean of exp over `rows` rows of `classes` logarithms, without leaving the range of numbers.
std::vector<double> log_mean(std::span<const double> values, index_t rows, index_t classes) {
  std::vector<double> out;
  for (index_t k = 0; k < classes; ++k) {
    double top = values[static_cast<std::size_t>(k)], sum = 0;
    for (index_t r = 1; r < rows; ++r) top = (std::max)(top, values[static_cast<std::size_t>(r * classes + k)]);
    for (index_t r = 0; r < rows; ++r) sum += std::exp(values[static_cast<std::size_t>(r * classes + k)] - top);
    out.push_back(top + std::log(sum / static_cast<double>(rows)));
  }
  return out;
}

}  // namespace

predictor::predictor(const loaded_model& model, const std::string& tta, int batch_size, bool keep_size)
    : model_(model),
      views_(transforms(model.info, tta)),
      at_once_((std::max)(index_t{1}, batch_size / views())),
      image_elements_(model.info.model.channels * model.info.picture.size * model.info.picture.size),
      workspaces_(static_cast<std::size_t>(model.net.threads())),
      // Whether Winograd pays depends on the batch; a picture's answer is not to depend on its company.
      session_(model.net, {.winograd = false, .prepack_weights = true}),
      keep_size_(keep_size) {
  if (keep_size && tta == "ten-crop") throw usage_error("--keep-size: goes with --tta none or flip, not with ten-crop");
}

/// Writes all views of one picture. Returns why it cannot be used, or nothing.
std::string predictor::prepare(const minicnn::image_u8& image, float* out, minicnn::image_workspace& workspace) const {
  if (image.channels != model_.info.model.channels)
    return minicnn::text_of("has ", image.channels, " channels, the network wants ", model_.info.model.channels);
  for (const minicnn::image_transform& view : views_) {
    apply(image, view, minicnn::random_key(), false, out, workspace);
    out += image_elements_;
  }
  return "";
}

/// One picture at its own size, whatever the sides.
predictor::result predictor::run_alone(minicnn::picture_source& source, index_t chosen) {
  result out;
  minicnn::image_workspace& workspace = workspaces_.front();
  const minicnn::image_u8* image = &source.get(chosen, workspace);
  const index_t channels = model_.info.model.channels;
  if (image->channels != channels) {
    out.reason = minicnn::text_of("has ", image->channels, " channels, the network wants ", channels);
    return out;
  }
  if (const index_t padding = model_.info.picture.padding; padding > 0) {
    minicnn::pad(*image, padding, workspace.padded);
    image = &workspace.padded;
  }
  const index_t height = image->height, width = image->width;
  minicnn::tensor<float> input({views(), channels, height, width});
  float* place = input.data();
  for (const minicnn::image_transform& view : views_) {
    minicnn::resize_plan as_it_is;
    as_it_is.source = {0, 0, height, width};
    as_it_is.height = height, as_it_is.width = width;
    as_it_is.window = {0, 0, height, width};
    as_it_is.mirrored = view.mirrored;
    workspace.resize.run(*image, as_it_is, view.normalize.affine(), place);
    place += channels * height * width;
  }
  try {
    const minicnn::tensor<float> logits(session_.predict(input));
    for (const float z : logits)
      if (!std::isfinite(z)) fail("the network's outputs are not finite numbers: these weights are of no use");
    const index_t classes = logits.dims().size_from(1);
    out.log_probabilities =
        log_mean(log_softmax({logits.begin(), logits.end()}, classes, model_.info.temperature), views(), classes);
  } catch (const minicnn::shape_error& e) {
    out.reason = minicnn::text_of("at ", height, " x ", width, " pixels: ", e.what());
  }
  return out;
}

std::vector<predictor::result> predictor::run(const minicnn::image_dataset& data, std::span<const index_t> chosen) {
  const auto count = static_cast<index_t>(chosen.size());
  if (keep_size_) {
    minicnn::picture_source pictures(data);
    std::vector<result> alone(chosen.size());
    for (std::size_t i = 0; i < chosen.size(); ++i) try {
        alone[i] = run_alone(pictures, chosen[i]);
      } catch (const minicnn::file_error& e) {
        alone[i].reason = without_path(e.what(), data.samples[static_cast<std::size_t>(chosen[i])].path);
      }
    return alone;
  }
  const index_t channels = model_.info.model.channels, side = model_.info.picture.size;
  if (input_.dims().rank() == 0 || input_.dim(0) < count * views())
    input_ = minicnn::tensor<float>({count * views(), channels, side, side});
  minicnn::picture_source source(data);
  std::vector<result> out(chosen.size());
  minicnn::parallel_tasks(model_.net.threads(), count, [&](index_t task, int thread) {
    const auto place = static_cast<std::size_t>(task);
    minicnn::image_workspace& workspace = workspaces_[static_cast<std::size_t>(thread)];
    try {
      out[place].reason =
          prepare(source.get(chosen[place], workspace), input_.data() + task * views() * image_elements_, workspace);
    } catch (const minicnn::file_error& e) {
      out[place].reason = without_path(e.what(), data.samples[static_cast<std::size_t>(chosen[place])].path);
    }
  });

  // Pictures that could be read move together: the network sees no gaps.
  const index_t block = views() * image_elements_;
  index_t good = 0;
  for (index_t i = 0; i < count; ++i) {
    if (!out[static_cast<std::size_t>(i)].reason.empty()) continue;
    if (good != i) std::copy_n(input_.data() + i * block, block, input_.data() + good * block);
    good += 1;
  }
  if (good == 0) return out;
  const minicnn::view<const float> input(input_.data(), {good * views(), channels, side, side});
  const minicnn::view<const float> logits = session_.predict(input);
  for (const float z : logits)
    if (!std::isfinite(z)) fail("the network's outputs are not finite numbers: these weights are of no use");
  const index_t classes = logits.dims().size_from(1);
  const std::vector<double> rows = log_softmax({logits.begin(), logits.end()}, classes, model_.info.temperature);
  auto row = rows.begin();
  for (result& r : out) {
    if (!r.reason.empty()) continue;
    const std::span<const double> own(row, row + views() * classes);
    r.log_probabilities = views() == 1 ? std::vector<double>(own.begin(), own.end()) : log_mean(own, views(), classes);
    row += views() * classes;
  }
  return out;
}

}  // namespace cli

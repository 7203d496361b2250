#pragma once
// A loader that shows progress on standard error: data for minicnn::evaluate.

#include <minicnn/data/loader.hpp>
#include <minicnn/report/progress.hpp>
#include <string>
#include <utility>

namespace cli {

class progress_loader {
 public:
  progress_loader(minicnn::loader<float>& data, std::string label) : data_(data), label_(std::move(label)) {}

  void start_epoch(minicnn::index_t epoch, minicnn::index_t first_batch) { data_.start_epoch(epoch, first_batch), done_ = 0; }

  const minicnn::batch<float>* next() {
    progress_.update(label_, done_, data_.size(), "");
    const minicnn::batch<float>* b = data_.next();
    if (b != nullptr)
      done_ += static_cast<minicnn::index_t>(b->labels.size());
    else
      progress_.clear();
    return b;
  }

 private:
  minicnn::loader<float>& data_;
  std::string label_;
  minicnn::index_t done_ = 0;
  minicnn::progress_line progress_{stderr};
};

}  // namespace cli

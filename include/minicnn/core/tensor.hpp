#pragma once
/// `tensor<T>` owns elements, `view<T>` refers to them. Both are dense and row-major (the last axis is contiguous).

#include <algorithm>
#include <type_traits>
#include <utility>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Contiguous elements that it does not own, as `std::span` with a shape. `view<const T>` cannot write.
/// A pointer of null with a non-empty shape stands for "not there" (a gradient that is not needed).
template <class T>
class view {
 public:
  view() = default;
  view(T* data, const shape& dims) : data_(data), dims_(dims) {}

  /// A writable view converts to a read-only one.
  template <class U>
  requires(std::is_const_v<T>&& std::is_same_v<std::remove_const_t<T>, U>) view(const view<U>& other)
      : data_(other.data()), dims_(other.dims()) {}

  T* data() const { return data_; }
  const shape& dims() const { return dims_; }
  index_t size() const { return dims_.size(); }
  index_t dim(int axis) const { return dims_[axis]; }
  bool present() const { return data_ != nullptr; }

  T* begin() const { return data_; }
  T* end() const { return data_ + size(); }
  T& operator[](index_t i) const { return data_[i]; }

  /// Element by index along each axis: `x(n, c, h, w)`. Not checked.
  template <class... Index>
  T& operator()(Index... indices) const {
    index_t offset = 0;
    int axis = 0;
    ((offset = offset * dims_[axis++] + static_cast<index_t>(indices)), ...);
    return data_[offset];
  }

  /// One step along the first axis: an image of a batch, a row of a matrix.
  view at(index_t i) const { return view(data_ + i * dims_.size_from(1), shape(dims_.begin() + 1, dims_.end())); }

  /// The same elements under another shape; throws shape_error if the counts differ.
  view reshaped(const shape& dims) const {
    if (dims.size() != size()) fail<shape_error>("reshape: ", dims_, " has ", size(), " elements, ", dims, " has ", dims.size());
    return view(data_, dims);
  }

 private:
  T* data_ = nullptr;
  shape dims_;
};

/// Owns its elements, aligned to 64 bytes. Copies are deep; a tensor that was moved from is empty.
/// A temporary does not convert to a view, which would outlive it: name the tensor first.
template <class T = float>
class tensor {
 public:
  tensor() = default;

  /// `value` in every element. Throws length_error if the memory cannot be had.
  explicit tensor(const shape& dims, T value = T{}) : storage_(dims.size()), dims_(dims) { std::fill(begin(), end(), value); }

  /// Elements from a list, in row-major order; throws shape_error if the count differs.
  tensor(const shape& dims, std::initializer_list<T> values) : storage_(dims.size()), dims_(dims) {
    if (static_cast<index_t>(values.size()) != dims.size())
      fail<shape_error>("tensor: shape ", dims, " wants ", dims.size(), " values, got ", static_cast<index_t>(values.size()));
    std::copy(values.begin(), values.end(), begin());
  }

  explicit tensor(const view<const T>& source) : storage_(source.size()), dims_(source.dims()) {
    std::copy(source.begin(), source.end(), begin());
  }

  tensor(const tensor& other) : tensor(static_cast<view<const T>>(other)) {}
  tensor(tensor&& other) noexcept : storage_(std::move(other.storage_)), dims_(std::exchange(other.dims_, shape{0})) {}
  tensor& operator=(const tensor& other) {
    if (this != &other) *this = tensor(other);
    return *this;
  }
  tensor& operator=(tensor&& other) noexcept {
    storage_ = std::move(other.storage_);
    dims_ = std::exchange(other.dims_, shape{0});
    return *this;
  }
  ~tensor() = default;

  T* data() { return storage_.data(); }
  const T* data() const { return storage_.data(); }
  const shape& dims() const { return dims_; }
  index_t size() const { return dims_.size(); }
  index_t dim(int axis) const { return dims_[axis]; }

  T* begin() { return data(); }
  T* end() { return data() + size(); }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size(); }

  T& operator[](index_t i) { return data()[i]; }
  const T& operator[](index_t i) const { return data()[i]; }
  template <class... Index>
  T& operator()(Index... indices) {
    return view<T>(*this)(indices...);
  }
  template <class... Index>
  const T& operator()(Index... indices) const {
    return view<const T>(*this)(indices...);
  }

  operator view<T>() & { return view<T>(data(), dims_); }
  operator view<const T>() const& { return view<const T>(data(), dims_); }
  operator view<T>() && = delete;
  operator view<const T>() const&& = delete;

 private:
  aligned_buffer<T> storage_;
  shape dims_ = shape{0};  // a tensor that nothing was put into is empty, not a scalar
};

}  // namespace minicnn::inline MINICNN_ABI

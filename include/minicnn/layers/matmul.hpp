#pragma once
/// Products of two values, matrix by matrix: what attention is made of.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/product/gemm.hpp"

namespace minicnn::inline MINICNN_ABI {

struct matmul_options {
  /// Whether b is (..., columns, depth) instead of (..., depth, columns).
  bool transpose_b = false;

  /// Node name; empty: matmul1, matmul2, ...
  std::string name = {};
};

/// a (n, ..., rows, depth), b (n, ..., depth, columns) -> y = a b (n, ..., rows, columns), for each of the matrices. A value
/// times trained weights is a dense layer.
template <class T>
class matmul_op final : public op<T> {
 public:
  explicit matmul_op(matmul_options o) : o_(std::move(o)) {}

  std::string_view kind() const override { return "matmul"; }
  MINICNN_COLD attribute_list describe() const override { return {{"transpose_b", o_.transpose_b}}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape &a = request.inputs[0], &b = request.inputs[1];
    const int rank = a.rank();
    bool fits = rank >= 3 && b.rank() == rank;
    for (int axis = 0; fits && axis < rank - 2; ++axis) fits = a[axis] == b[axis];
    if (!fits || a[rank - 1] != b[o_.transpose_b ? rank - 1 : rank - 2])
      fail<shape_error>("matmul wants (n, ..., rows, depth) and (n, ..., ", o_.transpose_b ? "columns, depth" : "depth, columns",
                        "), got ", a, " and ", b);
    const sizes s = sizes_of(a, b);
    op_plan p;
    p.output = a;
    p.output.set(rank - 1, s.columns);
    const int threads = request.ctx.threads;
    p.forward_scratch_bytes = threads * bytes(s.rows, s.columns, s.depth);
    if (request.training)
      p.backward_scratch_bytes =
          threads * (std::max)(bytes(s.rows, s.depth, s.columns),
                               (std::max)(bytes(s.depth, s.columns, s.rows), bytes(s.columns, s.depth, s.rows)));
    p.multiply_adds = shape{p.output.size(), s.depth}.size();
    p.backward_reads_input = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    const sizes s = sizes_of(f.input(0).dims(), f.input(1).dims());
    products(f, s, [&](index_t i, const auto& product) {
      product(left(f, s, i), right(f, s, i), f.output.data() + i * s.rows * s.columns, s.columns, false);
    });
  }

  /// da = dy b^T, db = a^T dy.
  void backward(const frame<T>& f) const override {
    const sizes s = sizes_of(f.input(0).dims(), f.input(1).dims());
    const auto upstream = [&](index_t i) {
      return kernels::row_major(f.output_gradient.data() + i * s.rows * s.columns, s.rows, s.columns);
    };
    if (const gradient_target<T>& da = f.input_gradient(0); da.wanted())
      products(f, s, [&](index_t i, const auto& product) {
        product(upstream(i), kernels::transposed(right(f, s, i)), da.data.data() + i * s.rows * s.depth, s.depth, da.add);
      });
    if (const gradient_target<T>& db = f.input_gradient(1); db.wanted())
      products(f, s, [&](index_t i, const auto& product) {
        T* const to = db.data.data() + i * s.depth * s.columns;
        if (o_.transpose_b)
          product(kernels::transposed(upstream(i)), left(f, s, i), to, s.depth, db.add);
        else
          product(kernels::transposed(left(f, s, i)), upstream(i), to, s.columns, db.add);
      });
  }

 private:
  struct sizes {
    index_t count, rows, depth, columns;
  };
  sizes sizes_of(const shape& a, const shape& b) const {
    const int rank = a.rank();
    const index_t matrix = (std::max)(a[rank - 2] * a[rank - 1], index_t{1});
    return {a.size() / matrix, a[rank - 2], a[rank - 1], b[o_.transpose_b ? rank - 2 : rank - 1]};
  }
  static index_t bytes(index_t m, index_t n, index_t k) {
    return scratch::bytes_for<std::byte>(kernels::gemm_scratch_bytes<T>(1, m, n, k));
  }

  static kernels::matrix<T> left(const frame<T>& f, const sizes& s, index_t i) {
    return kernels::row_major(f.input(0).data() + i * s.rows * s.depth, s.rows, s.depth);
  }
  kernels::matrix<T> right(const frame<T>& f, const sizes& s, index_t i) const {
    const T* b = f.input(1).data() + i * s.depth * s.columns;
    return o_.transpose_b ? kernels::transposed(kernels::row_major(b, s.columns, s.depth))
                          : kernels::row_major(b, s.depth, s.columns);
  }

  /// Calls `body(i, product)` for every matrix, each on one thread with scratch of its own; `product(a, b, c, ldc, add)` computes
  /// c = (or += if `add`) a b.
  template <class F>
  void products(const frame<T>& f, const sizes& s, const F& body) const {
    context here = f.ctx;
    here.threads = 1;
    const index_t each = f.scratch_bytes / f.ctx.threads / alignment * alignment;
    parallel_tasks(f.ctx.threads, s.count, [&](index_t i, int thread) {
      body(i, [&](const kernels::matrix<T>& a, const kernels::matrix<T>& b, T* c, index_t ldc, bool add) {
        kernels::epilogue<T> ep;
        ep.add = add;
        scratch work(f.scratch_block + thread * each, each);
        kernels::gemm<T>(here, a, b, c, ldc, ep, work);
      });
    });
  }

  matmul_options o_;
};

/// a b, matrix by matrix. Throws shape_error unless all axes but the last two agree, and the depth.
template <class T>
MINICNN_COLD node<T> matmul(node<T> a, node<T> b, matmul_options o = {}) {
  return a.owner->add(make_op<matmul_op<T>>(o), {a, b}, o.name, "matmul");
}

MINICNN_COMPILED_CLASS(matmul_op);

}  // namespace minicnn::inline MINICNN_ABI

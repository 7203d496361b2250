#pragma once
/// A reference to something callable, for parameters: what takes one is compiled once, not for every lambda it is given.

#include <type_traits>

#include "minicnn/version.hpp"

namespace minicnn::inline MINICNN_ABI {

template <class Signature>
class function_ref;

/// Two pointers; what it refers to must outlive it, as an argument outlives the call. Lambdas and other objects that can be
/// called while const; a plain function goes in a lambda.
template <class R, class... A>
class function_ref<R(A...)> {
 public:
  template <class F>
  requires(!std::is_same_v<F, function_ref> && std::is_object_v<F> && std::is_invocable_r_v<R, const F&, A...>)
      function_ref(const F& f)
      : object_(&f), call_(&call<F>) {}

  MINICNN_INLINE R operator()(A... arguments) const { return call_(object_, arguments...); }

 private:
  template <class F>
  static R call(const void* object, A... arguments) {
    return (*static_cast<const F*>(object))(arguments...);
  }

  const void* object_;
  R (*call_)(const void*, A...);
};

}  // namespace minicnn::inline MINICNN_ABI

#pragma once

/// A temporary for a call that is over before the statement ends: tensors convert to views only where they have a name.
template <class T>
const T& held(const T& temporary) {
  return temporary;
}

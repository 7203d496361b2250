// Every header in one unit; two_units_second.cpp is the other. A function that is not inline fails the link.
#include "all_headers.hpp"

const void* second_unit_address();

int main() {
  // One inline variable has one address in the whole program.
  return second_unit_address() == static_cast<const void*>(&minicnn::max_threads) ? 0 : 1;
}

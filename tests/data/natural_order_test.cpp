#include "minicnn/data/natural_order.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using minicnn::natural_less;

TEST_CASE("numbers within names count as numbers") {
  const std::vector<std::string> sorted{"1.jpg",
                                        "2.jpg",
                                        "10.jpg",
                                        "cat.0.jpg",
                                        "cat.2.jpg",
                                        "cat.10.jpg",
                                        "cat.10b.jpg",
                                        "cat.99999999999999999999998.jpg",
                                        "cat.99999999999999999999999.jpg",
                                        "cat.100000000000000000000000.jpg",
                                        "dog.1.jpg"};
  for (std::size_t i = 0; i < sorted.size(); ++i)
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      INFO(sorted[i] << " and " << sorted[j]);
      CHECK(natural_less(sorted[i], sorted[j]) == (i < j));
    }
}

TEST_CASE("everything else follows bytes, and the order is total") {
  CHECK(natural_less("Cat", "cat"));
  CHECK(natural_less("cat", "cats"));
  CHECK(natural_less("", "a"));
  CHECK(natural_less("z", "\xC3\xA4"));
  CHECK(natural_less("01", "1") != natural_less("1", "01"));
  CHECK(!natural_less("a1", "a1"));
  CHECK(natural_less("a1b2", "a01b3"));
}

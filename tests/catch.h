#pragma once
// Catch2 as there is: version 3, whose header and matchers have other names, or version 2.

#if __has_include(<catch2/catch_all.hpp>)
#define LOPT_CATCH_3
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#ifdef LOPT_CATCH_3
using Catch::Approx;
#endif

namespace lopt::test {

#ifdef LOPT_CATCH_3
/// Matches texts that hold this one.
inline auto Contains(const std::string& text) { return Catch::Matchers::ContainsSubstring(text); }
#else
using Catch::Matchers::Contains;
#endif

}  // namespace lopt::test

#pragma once
#include "conformance/subject.h"

namespace lopt {

/// All that a component does on made-up inputs, as a text: equal texts, equal behaviour. What is traced is in it as
/// programs, what runs now as its results' bits.
std::string behaviour_of(const std::string& kind, const std::shared_ptr<const void>& object);

/// The bits of arrays, as a short text.
std::string digest(const std::vector<Array>& arrays);

}  // namespace lopt

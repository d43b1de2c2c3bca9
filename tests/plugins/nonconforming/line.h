#pragma once
#include <lopt/plugin.h>

/// A dataset that is right: a hundred numbers and their labels.
class Line : public lopt::Dataset {
 public:
  explicit Line(lopt::Settings&) {}
  const lopt::Values& examples(lopt::Split) const override { return examples_; }

 protected:
  lopt::Values examples_{{"image", uniform(lopt::HostKey::from_seed(1), {100, 1})},
                         {"label", randint(lopt::HostKey::from_seed(2), {100}, 0, 2)}};
};

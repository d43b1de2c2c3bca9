#pragma once
// Why a loss, a state or a meta-gradient is not finite: found while the lanes of a meta-step are run once more.

#include "estimate/lane_stepper.h"
#include "execute/non_finite.h"
#include "trace/origin.h"

#include <string>

namespace lopt {

/// Looks at everything that lanes compute, and says where the first value that is not finite came from.
class FaultFinder final : public LaneObserver {
 public:
  void after_start(const Lane& lane, const InnerProblem& problem, const LaneWorker& worker,
                   const std::vector<Array>& state) override;
  void after_step(const Lane& lane, const InnerProblem& problem, const LaneWorker& worker,
                  const std::vector<Array>& next, float loss) override;
  void after_gradient(const Lane& lane, const InnerProblem& problem, InnerProblem::GradientForm form,
                      const LaneWorker& worker, const std::vector<Array>& d_theta,
                      const std::vector<Array>& d_state) override;
  void after_tangent(const Lane& lane, const InnerProblem& problem, InnerProblem::TangentForm form,
                     const LaneWorker& worker, std::span<const std::vector<Array>> d_next,
                     std::span<const float> d_loss) override;

  /// A sentence, as in "problem 3, inner step 7: derivative of sqrt at 0 in learned optimizer 'la', update, leaf w0: 12
  /// of 8,192 elements; …"; empty where all was finite.
  const std::string& sentence() const { return sentence_; }

 private:
  void report(const Lane& lane, const InnerProblem& problem, const LaneWorker& worker,
              const std::function<TracedProgram()>& trace, bool loss_first);

  std::string sentence_;
  std::vector<float> losses_;                      // of the lane that is run, since it was last begun
  std::pair<std::uint32_t, std::int64_t> last_{};  // stream and iteration of the last step
};

/// To which leaf of a tree with these paths each step of an update belongs: the only one that it leads to. Steps that
/// lead to several have none.
class LeafNames {
 public:
  /// `outputs[i]` is called `paths[i]`; "mean/w0" and "params/w0" are about the same leaf, w0.
  LeafNames(const std::vector<Tensor>& outputs, const std::vector<std::string>& paths,
            const std::vector<std::string>& params);
  std::string operator()(const Tensor& value) const;

 private:
  std::unordered_map<const Node*, int> leaf_;  // −1: several
  std::vector<std::string> names_;
};

/// What `find_non_finite` found, as a sentence without a place: "derivative of sqrt at 0 in learned optimizer 'la',
/// update, leaf w0: 12 of 8,192 elements; add a small number under the root, or use rms". `leaves` names the leaf that
/// a step of the program belongs to; a derivative's is that of the forward step. `losses`: those of the problem until
/// now; they tell growth from a broken formula.
std::string sentence_of(const NonFiniteSource& source, const OriginNotes& notes, const LeafNames& leaves,
                        const std::vector<float>& losses);

}  // namespace lopt

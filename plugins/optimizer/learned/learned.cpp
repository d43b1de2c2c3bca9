#include <lopt/plugin.h>

using namespace lopt;

namespace {

/// The rule's own functions, with θ as constants.
class Applied final : public Optimizer {
 public:
  Applied(std::shared_ptr<const LearnedOptimizer> learned, std::string file)
      : learned_(std::move(learned)), file_(std::move(file)) {}
  Tree init(const Tree& params, const InitContext& context) const override { return rule()->init(params, context); }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    return rule()->update(state, grads, context);
  }
  Tree params(const Tree& state) const override { return rule()->params(state); }
  Tree evaluation_params(const Tree& state) const override { return rule()->evaluation_params(state); }
  Tree with_params(const Tree& state, const Tree& params) const override { return rule()->with_params(state, params); }
  bool can_do_without_loss() const override { return rule()->can_do_without_loss(); }

 private:
  std::unique_ptr<Optimizer> rule() const {
    const Tree types = learned_->init({zeros({2}, DType::uint32)});
    const Values file = read_npz(file_);
    const std::vector<std::string> paths = types.paths();
    std::vector<Tensor> leaves;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (!file.contains(paths[i]))
        throw DataError(file_ + ": has no array '" + paths[i] + "', which this learned optimizer's θ has");
      const Array& array = file[paths[i]].leaf();
      if (array.type() != types.leaves()[i].type())
        throw DataError(file_ + ": '" + paths[i] + "' is " + to_text(array.type()) + "; this learned optimizer's is " +
                        to_text(types.leaves()[i].type()));
      leaves.emplace_back(array);
    }
    return learned_->opt_fn(types.with_leaves<Tensor>(leaves));
  }

  std::shared_ptr<const LearnedOptimizer> learned_;
  std::string file_;
};

}  // namespace

/// What was trained, as an optimizer: a learned optimizer with the θ of a file. The file of a run knows its learned
/// optimizer and settings; others want them beside it.
class Learned final : public Optimizer {
 public:
  explicit Learned(Settings& s)
      : applied_(
            s.component<LearnedOptimizer>("learned_optimizer").doc("what the θ is of; a run's file says so itself"),
            s.text("theta").doc("a run's folder, or its theta.npz")) {}
  Tree init(const Tree& params, const InitContext& context) const override { return applied_.init(params, context); }
  Tree update(const Tree& state, const Tree& grads, const UpdateContext& context) const override {
    return applied_.update(state, grads, context);
  }
  Tree params(const Tree& state) const override { return applied_.params(state); }
  Tree evaluation_params(const Tree& state) const override { return applied_.evaluation_params(state); }
  Tree with_params(const Tree& state, const Tree& params) const override { return applied_.with_params(state, params); }
  bool can_do_without_loss() const override { return applied_.can_do_without_loss(); }

 private:
  Applied applied_;
};

LOPT_PLUGIN(Learned, "learned", {.summary = "A learned optimizer with the θ that a run has found"})

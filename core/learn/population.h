#pragma once
// A population of meta-trainings: members whose settings differ, where the worst go on from the best (Jaderberg et al.,
// 2017). They advance in rounds of a few meta-steps; all that happens between two rounds is a function of the seed and
// of the members' scores, so a checkpoint of a round's end is enough to go on to the same bits.

#include "learn/meta_training.h"

namespace lopt {

/// A setting of a member: key path and value, as the spec would have it.
using MemberSettings = std::vector<std::pair<std::string, std::string>>;

/// A member that went on from another one after a round.
struct Descent {
  int step = 0;  // meta-steps that were done
  int member = 0, parent = 0;
  MemberSettings settings;  // from now on
};

class Population {
 public:
  /// Makes the members that this process runs: of several ranks, each has every n-th. Throws SpecError where settings
  /// that are varied do not fit the spec.
  Population(const Experiment& experiment, const Registry& registry, int threads, Communicator* ranks);

  int size() const { return experiment_.population.size; }
  int steps_done() const { return now_.step; }
  bool is_done() const { return now_.step >= experiment_.steps; }

  /// The meta-losses of a round, [member][step], and its scores.
  struct Round {
    int first_step = 0;
    std::vector<std::vector<float>> losses;
    std::vector<double> scores, seconds;  // by member: less is better; of the whole round
    std::vector<Descent> descents;        // before it
  };
  /// The exchange that is due, and every member's next steps. Throws Interrupted where `interrupt` says so; the
  /// population is then as it was at the last round's end in all that checkpoint() gives.
  Round advance(const std::function<bool()>& interrupt);

  /// As it was at the end of the last round; whole on rank 0 alone. All ranks must call it.
  Checkpoint checkpoint() const;
  void restore(const Checkpoint& checkpoint);

  const std::vector<Descent>& lineage() const { return now_.lineage; }
  const std::vector<MemberSettings>& settings() const { return now_.settings; }
  const std::vector<double>& scores() const { return now_.scores; }
  /// The member whose score was least in the last round, and its θ, which all ranks get.
  int best() const;
  Values best_theta() const;
  bool is_mine(int member) const { return !ranks_ || member % ranks_->size() == ranks_->rank(); }

 private:
  struct Member {
    std::unique_ptr<Experiment> experiment;
    std::unique_ptr<MetaTraining> training;
  };
  Member made(const MemberSettings& settings);
  MemberSettings drawn(int member) const;
  /// The settings of a member that goes on from one with these.
  MemberSettings explored(const MemberSettings& of_parent, HostKey key) const;
  double score_of(const MetaTraining& training, const std::vector<float>& losses) const;
  std::vector<Descent> exchange();
  /// What the round's end looks like, for all that it takes to go on.
  void remember();

  const Experiment& experiment_;
  Registry registry_;
  int threads_;
  Communicator* ranks_;
  /// All that changes, but for the members themselves.
  struct Now {
    int step = 0;
    std::vector<MemberSettings> settings;
    std::vector<double> scores;
    std::vector<std::vector<float>> losses;  // since the last exchange, by member
    std::vector<Descent> lineage;
  };
  Now now_;
  std::vector<Member> members_;  // those of other ranks are empty
  // As they were at the last round's end: an interrupted round leaves them.
  Now kept_;
  std::vector<std::string> encoded_;  // each own member's checkpoint
};

Json to_json(const Descent& descent);

}  // namespace lopt

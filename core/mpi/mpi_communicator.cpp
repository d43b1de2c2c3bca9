// Ranks that speak MPI (Boost.MPI on Open MPI). A library of its own: only what mpirun starts loads it.
#include "estimate/communicator.h"

#include <boost/mpi.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <thread>

namespace lopt {
namespace {

namespace mpi = boost::mpi;
using Clock = std::chrono::steady_clock;

constexpr int tag_of_parts = 1, tag_of_all = 2;

double seconds_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

/// Parts go to rank 0, and all of them from there to everybody: whoever does not answer, rank 0 knows.
class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator()
      : environment_(std::make_unique<mpi::environment>(mpi::threading::funneled, false)), last_(Clock::now()) {
    if (const char* text = std::getenv("LOPT_RANK_SECONDS")) patience_ = std::max(1.0, std::strtod(text, nullptr));
  }
  ~MpiCommunicator() override {
    // A rank that fails ends without a farewell: mpirun sees it, and ends the others.
    if (std::uncaught_exceptions() > 0) static_cast<void>(environment_.release());
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return world_.rank(); }
  int size() const override { return world_.size(); }
  std::uint64_t bytes_sent() const override { return sent_; }

  std::vector<std::byte> all_gather(std::span<const std::byte> part, std::span<const std::size_t> sizes) override {
    return exchange(part, sizes, true);
  }
  std::vector<std::byte> gather(std::span<const std::byte> part, std::span<const std::size_t> sizes) override {
    return exchange(part, sizes, false);
  }

 private:
  std::vector<std::byte> exchange(std::span<const std::byte> part, std::span<const std::size_t> sizes, bool to_all) {
    std::size_t total = 0;
    for (std::size_t size : sizes) total += size;
    if (total > static_cast<std::size_t>(std::numeric_limits<int>::max()))
      throw RankError(fmt::format("{} bytes at once are more than MPI takes", total));
    // Others may need as long as this rank did, and some more.
    own_seconds_ = std::max(own_seconds_, seconds_between(last_, Clock::now()));
    std::vector<std::byte> all(rank() == 0 || to_all ? total : 0);
    if (rank() == 0) {
      collect(part, sizes, all);
      if (to_all) spread(all);
    } else {
      contribute(part);
      if (to_all) receive(all);
    }
    last_ = Clock::now();
    return all;
  }

  double limit() const { return std::max(patience_, 5 * own_seconds_); }

  void collect(std::span<const std::byte> part, std::span<const std::size_t> sizes, std::vector<std::byte>& all) {
    std::copy(part.begin(), part.end(), all.begin());
    std::vector<mpi::request> requests;
    std::size_t at = sizes[0];
    for (std::size_t rank = 1; rank < sizes.size(); at += sizes[rank++])
      requests.push_back(
          world_.irecv(static_cast<int>(rank), tag_of_parts, chars(all.data() + at), count(sizes[rank])));
    for (std::size_t i = 0; i < requests.size(); ++i) wait(requests[i], static_cast<int>(i) + 1, limit());
  }
  void spread(const std::vector<std::byte>& all) {
    std::vector<mpi::request> requests;
    for (int rank = 1; rank < size(); ++rank) requests.push_back(send(rank, tag_of_all, all));
    for (std::size_t i = 0; i < requests.size(); ++i) wait(requests[i], static_cast<int>(i) + 1, limit());
  }

  // Rank 0 may be waiting for another one, which it will name itself.
  void contribute(std::span<const std::byte> part) {
    mpi::request request = send(0, tag_of_parts, part);
    wait(request, 0, 1.4 * limit());
  }
  void receive(std::vector<std::byte>& all) {
    mpi::request request = world_.irecv(0, tag_of_all, chars(all.data()), count(all.size()));
    wait(request, 0, 1.4 * limit());
  }

  mpi::request send(int rank, int tag, std::span<const std::byte> bytes) {
    sent_ += bytes.size();
    return world_.isend(rank, tag, reinterpret_cast<const char*>(bytes.data()), count(bytes.size()));
  }

  void wait(mpi::request& request, int other, double seconds) const {
    const auto start = Clock::now();
    while (!request.test()) {
      std::this_thread::yield();
      if (seconds_between(start, Clock::now()) > seconds) give_up(other, seconds);
    }
  }

  /// A rank that hangs does not end when it is asked to; mpirun makes it.
  [[noreturn]] void give_up(int other, double seconds) const {
    fmt::print(stderr,
               "lopt-run: rank {} of {} has not answered rank {} for {:.0f} s: it was killed, or hangs. The job ends; "
               "the last checkpoint is good, and `lopt-run resume` goes on from it\n",
               other, size(), rank(), seconds);
    std::fflush(stderr);
    environment_->abort(1);
    std::_Exit(1);
  }

  static char* chars(std::byte* bytes) { return reinterpret_cast<char*>(bytes); }
  static int count(std::size_t size) { return static_cast<int>(size); }

  std::unique_ptr<mpi::environment> environment_;
  mpi::communicator world_;
  double patience_ = 20;    // seconds
  double own_seconds_ = 0;  // the longest that this rank needed between two exchanges
  Clock::time_point last_;
  std::uint64_t sent_ = 0;
};

}  // namespace
}  // namespace lopt

extern "C" __attribute__((visibility("default"))) lopt::Communicator* lopt_mpi_communicator() {
  return new lopt::MpiCommunicator();
}

// Ranks that speak MPI (Boost.MPI on Open MPI). A library of its own: only what mpirun starts loads it.
#include "estimate/communicator.h"

#include <boost/mpi.hpp>
#include <fmt/format.h>
#if __has_include(<mpi-ext.h>)
#include <mpi-ext.h>  // in Open MPI 5 with its fault tolerance (User Level Failure Mitigation)
#endif

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

namespace lopt {
namespace {

namespace mpi = boost::mpi;
using Clock = std::chrono::steady_clock;

constexpr int tag = 1;
/// MPI counts in int: a longer message comes in pieces, of which the last is shorter than this.
constexpr std::size_t piece_size = std::size_t{1} << 30;
/// A receiver may be busy with others before it takes a message.
constexpr double patience_of_senders = 3;
constexpr int turns_between_looks = 64;

double seconds_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

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
  Traffic traffic() const override { return traffic_; }

  void send(int to, std::span<const std::byte> bytes) override {
    lost_is_said([&] { send_pieces(to, bytes); });
  }
  std::vector<std::byte> receive(int from, double patience) override {
    std::vector<std::byte> bytes;
    lost_is_said([&] { bytes = receive_pieces(from, patience); });
    return bytes;
  }

  bool has_message(int from) override {
    bool found = false;
    lost_is_said([&] { found = world_.iprobe(from, tag).has_value(); });
    return found;
  }

#if defined(OMPI_HAVE_MPI_EXT_FTMPI)
  void recover() override {
    MPI_Comm left = MPI_COMM_NULL;
    if (MPIX_Comm_shrink(world_, &left) != MPI_SUCCESS) throw RankError("those that are left do not find together");
    world_ = mpi::communicator(left, mpi::comm_take_ownership);
    MPI_Comm_set_errhandler(world_, MPI_ERRORS_RETURN);
    own_seconds_ = 0;
    last_ = Clock::now();
  }
#endif

 private:
  /// Where a rank is found to be gone, all others hear of it, whomever they wait for.
  template <class Exchange>
  void lost_is_said(Exchange exchange) {
    try {
      exchange();
    } catch (const mpi::exception& error) {
#if defined(OMPI_HAVE_MPI_EXT_FTMPI)
      const int kind = error.error_class();
      if (kind == MPIX_ERR_PROC_FAILED || kind == MPIX_ERR_REVOKED || kind == MPIX_ERR_PROC_FAILED_PENDING) {
        MPIX_Comm_revoke(world_);
        throw RanksLost("a rank was killed, or its machine is gone");
      }
#endif
      throw RankError(error.what());
    }
  }

  /// A message that will not come is no error of MPI's: so who waits looks whether all are there.
  void require_all() {
#if defined(OMPI_HAVE_MPI_EXT_FTMPI)
    int revoked = 0, lost = 0;
    MPI_Group failed = MPI_GROUP_EMPTY;
    MPIX_Comm_is_revoked(world_, &revoked);
    if (MPIX_Comm_get_failed(world_, &failed) == MPI_SUCCESS) {
      MPI_Group_size(failed, &lost);
      MPI_Group_free(&failed);
    }
    if (revoked == 0 && lost == 0) return;
    MPIX_Comm_revoke(world_);
    throw RanksLost("a rank was killed, or its machine is gone");
#endif
  }

  void send_pieces(int to, std::span<const std::byte> bytes) {
    begin_exchange();
    ++traffic_.messages;
    traffic_.bytes += bytes.size();
    for (bool more = true; more;) {
      const std::span<const std::byte> piece = bytes.first(std::min(bytes.size(), piece_size));
      bytes = bytes.subspan(piece.size());
      more = piece.size() == piece_size;
      mpi::request request =
          world_.isend(to, tag, reinterpret_cast<const char*>(piece.data()), static_cast<int>(piece.size()));
      wait([&] { return request.test().has_value(); }, to, patience_of_senders);
    }
    last_ = Clock::now();
  }

  std::vector<std::byte> receive_pieces(int from, double patience) {
    begin_exchange();
    std::vector<std::byte> bytes;
    for (bool more = true; more;) {
      boost::optional<mpi::status> status;
      wait([&] { return (status = world_.iprobe(from, tag)).has_value(); }, from, patience);
      const auto size = static_cast<std::size_t>(status->count<char>().value());
      bytes.resize(bytes.size() + size);
      // The sender may hang amid the message too.
      mpi::request request =
          world_.irecv(from, tag, reinterpret_cast<char*>(bytes.data() + bytes.size() - size), static_cast<int>(size));
      wait([&] { return request.test().has_value(); }, from, patience);
      more = size == piece_size;
    }
    last_ = Clock::now();
    return bytes;
  }

  /// Others may need as long as this rank did, and some more.
  void begin_exchange() { own_seconds_ = std::max(own_seconds_, seconds_between(last_, Clock::now())); }

  void wait(const std::function<bool()>& is_done, int other, double patience) {
    const auto start = Clock::now();
    const double limit = patience * std::max(patience_, 5 * own_seconds_);
    for (int turns = 0; !is_done(); ++turns) {
      std::this_thread::yield();
      if (turns % turns_between_looks == 0) require_all();
      if (const double waited = seconds_between(start, Clock::now()); waited > limit) give_up(other, waited);
    }
    traffic_.waited += seconds_between(start, Clock::now());
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

  std::unique_ptr<mpi::environment> environment_;
  mpi::communicator world_;
  double patience_ = 20;    // seconds
  double own_seconds_ = 0;  // the longest that this rank needed between two exchanges
  Clock::time_point last_;
  Traffic traffic_;
};

}  // namespace
}  // namespace lopt

extern "C" __attribute__((visibility("default"))) lopt::Communicator* lopt_mpi_communicator() {
  return new lopt::MpiCommunicator();
}

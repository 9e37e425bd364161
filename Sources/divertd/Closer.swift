import CSystem
import Glibc
import Kernel
import Synchronization

/// Closes in the background what others have opened: how long that takes is theirs to say. A TCP socket waits until its
/// data are sent (socket(7), SO_LINGER), a FUSE file system for its server.
final class Closer: Sendable {
  private let worker = Worker()
  private let waiting = Atomic<Int>(0)
  private let wakeUp: WakeUp

  /// - Parameter wakeUp: Is signalled after each close.
  init(wakeUp: WakeUp) { self.wakeUp = wakeUp }

  /// How many descriptors are not closed yet.
  var count: Int { waiting.load(ordering: .acquiring) }

  func close(_ descriptor: consuming Descriptor) { close([descriptor.release()]) }

  func close(_ numbers: [CInt]) {
    guard !numbers.isEmpty else { return }
    waiting.wrappingAdd(numbers.count, ordering: .relaxed)
    worker.perform { [self] in
      for number in numbers {
        Self.closeWithoutLingering(number)
        waiting.wrappingSubtract(1, ordering: .releasing)
      }
      wakeUp.signal()
    }
  }

  /// A signal ends the wait of a socket that lingers (sk_stream_wait_close: "signal_pending"); its data are sent all the
  /// same. A file system's server is waited for nevertheless.
  private static func closeWithoutLingering(_ number: CInt) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, SIGALRM)
    signal(SIGALRM) { _ in }
    unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
    var timer: timer_t?
    let interval = 2_000_000
    let isTimed = unsafe csystem_interrupt_this_thread(SIGALRM, interval, &timer) == 0
    _ = Glibc.close(number)
    if isTimed { unsafe timer_delete(timer) }
  }
}

import Dispatch
import Kernel
import LinuxHost
import Synchronization

/// What other threads want of the host, which one thread uses: it runs their work between its own.
final class Errands: Sendable {
  private let waiting = Mutex<[@Sendable (LinuxHost) -> Void]>([])
  private let wakeUp: WakeUp

  init(wakeUp: WakeUp) { self.wakeUp = wakeUp }

  /// Runs something on the host's thread, and waits for what it returns.
  func run<Result: Sendable>(_ body: @escaping @Sendable (LinuxHost) -> Result) -> Result {
    let result = Box<Result>()
    let isDone = DispatchSemaphore(value: 0)
    waiting.withLock {
      $0.append { host in
        result.value.withLock { $0 = body(host) }
        isDone.signal()
      }
    }
    wakeUp.signal()
    while true {
      isDone.wait()
      if let value = result.value.withLock({ $0 }) { return value }
    }
  }

  private final class Box<Result: Sendable>: Sendable {
    let value = Mutex<Result?>(nil)
  }

  /// Runs all that waits; on the host's thread only.
  func perform(on host: LinuxHost) {
    let work = waiting.withLock { waiting in
      defer { waiting = [] }
      return waiting
    }
    for body in work { body(host) }
  }
}

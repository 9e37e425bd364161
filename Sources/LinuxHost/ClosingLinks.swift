import Kernel
import Synchronization

/// Links whose ports are free again. Their devices go in the background: each takes the kernel some 16 ms, and a program
/// that ends may leave a thousand.
final class ClosingLinks: Sendable {
  private let worker = Worker()
  private let waiting = Mutex<[UInt16: HostLink]>([:])
  private let present = Mutex<Set<UInt32>>([])
  /// Held while a device goes.
  private let closing = Mutex(())

  /// The interfaces that are still there.
  var indexes: Set<UInt32> { present.withLock { $0 } }

  func close(_ link: HostLink, ofPort port: UInt16) {
    let indexes = link.indexes
    present.withLock { $0.formUnion(indexes) }
    waiting.withLock { $0[port] = link }
    worker.perform { [self] in
      closing.withLock { _ in
        guard let link = waiting.withLock({ $0.removeValue(forKey: port) }) else { return }
        let indexes = link.indexes
        Self.end(link)
        present.withLock { $0.subtract(indexes) }
      }
    }
  }

  /// The device goes with the last reference, which is this.
  private static func end(_ link: consuming HostLink) {}

  /// The link of a port that is bound again, if it is still whole. If not, its name is free when this returns.
  func take(_ port: UInt16) -> HostLink? {
    if let link = waiting.withLock({ $0.removeValue(forKey: port) }) {
      let indexes = link.indexes
      present.withLock { $0.subtract(indexes) }
      return link
    }
    closing.withLock { _ in }
    return nil
  }
}

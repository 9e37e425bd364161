package import DivertWire
import Kernel
import Synchronization

/// What a host counts of the packets that a socket writes.
package protocol WriteCounts: AnyObject, Sendable {
  subscript(count: SocketCount) -> UInt64 { get }
}

/// The counts that the kernel's hooks keep, in memory shared with them.
final class KernelCounts: WriteCounts {
  private let mapping: SharedMapping
  private let start: Int
  /// Another socket may have had the slot before.
  private let before: InlineArray<16, UInt64>
  private let seen = InlineArray<16, Atomic<UInt64>> { _ in Atomic(0) }

  init(_ descriptor: borrowing Descriptor, slot: UInt32) throws(SystemError) {
    let start = Int(slot) * SocketCount.slotSize
    let mapping = try SharedMapping(of: descriptor, length: start + SocketCount.slotSize)
    before = InlineArray { mapping.word(at: start + $0 * 8) }
    self.start = start
    self.mapping = mapping
  }

  subscript(count: SocketCount) -> UInt64 {
    mapping.word(at: start + count.rawValue * 8) &- before[count.rawValue]
  }

  /// How much a count has grown since it was last asked for. Of threads that write at the same time one is told.
  func growth(of count: SocketCount) -> UInt64 {
    let now = self[count]
    return now &- seen[count.rawValue].exchange(now, ordering: .relaxed)
  }

  /// Why the last frame was refused, which the kernel says with `ENOBUFS` only.
  var lastRefusal: CInt? {
    for count in SocketCount.allCases {
      if let code = count.code, growth(of: count) > 0 { return code }
    }
    return nil
  }
}

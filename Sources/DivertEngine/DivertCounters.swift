import DivertWire

/// What has happened on the host, as BSD's net.inet.divert.stats tells and a little more.
package struct DivertCounters: Sendable, Equatable {
  /// Packets and copies that a socket got.
  package var delivered: UInt64 = 0
  package var noListener: UInt64 = 0
  package var droppedFull: UInt64 = 0
  /// Packets that were to be diverted after ``FrameHeader/passLimit`` passes.
  package var looped: UInt64 = 0
  package var reinjectedIncoming: UInt64 = 0
  package var reinjectedOutgoing: UInt64 = 0
  /// Fragments of which one was diverted, and that were dropped since the others did not come.
  package var droppedFragments: UInt64 = 0

  package init() {}

  mutating func count(_ delivery: Delivery) {
    switch delivery {
    case .delivered: delivered += 1
    case .noListener: noListener += 1
    case .full: droppedFull += 1
    }
  }
}

import DivertWire
import Firewall
package import Packets

/// What the engine remembers of a fragment that waits for the others.
package struct HeldFragment: Sendable {
  let onward: Onward
  /// Where a rule has diverted it; nil: it may go on.
  let diverted: (port: UInt16, header: FrameHeader)?
  /// Where in the rules judgement of the whole begins: that of a datagram that this host has made.
  let index: Int
}

package typealias HeldDatagram = FragmentQueue<HeldFragment>.Datagram

/// Fragments of one datagram are kept apart by these from those that only look alike.
enum FragmentDomain: UInt8 {
  case incoming, forwarded, locallyMade

  init(_ pass: Pass) {
    self = pass.direction == .incoming ? .incoming : pass.receiveInterface == 0 ? .locallyMade : .forwarded
  }
}

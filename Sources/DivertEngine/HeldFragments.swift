package import DivertWire
package import Firewall
package import Packets

/// How a packet goes on that its host has given to the engine.
package struct Onward: Equatable, Sendable {
  package var pass: Pass
  /// How often the packet has been written back in this pass.
  package var passes: UInt8
  /// How it came on the link layer: broadcast or multicast.
  package var arrival: FrameHeader.Flags
  package var origin: PacketOrigin

  package init(
    _ pass: Pass, passes: UInt8 = 0, arrival: FrameHeader.Flags = [], origin: PacketOrigin = PacketOrigin()
  ) {
    (self.pass, self.passes, self.origin) = (pass, passes, origin)
    self.arrival = arrival.intersection(.arrival)
  }
}

/// What the engine remembers of a fragment that waits for the others.
package struct HeldFragment: Sendable {
  let onward: Onward
  /// Where a rule has diverted it; nil: it may go on.
  let diverted: FrameHeader?
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

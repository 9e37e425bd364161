package import DivertWire
package import Firewall
import Packets

/// What the engine asks of its host: where diverted packets go, and those that had to wait.
package protocol DivertSink: ~Copyable {
  /// Hands a packet to the socket that has bound a port.
  mutating func deliver(
    _ packet: RawSpan, to port: UInt16, _ header: FrameHeader, _ origin: PacketOrigin
  ) -> Delivery

  /// Whether somebody has bound a port.
  func isBound(port: UInt16) -> Bool

  /// Whether somebody has bound a port who wants fragments to be reassembled.
  func wantsWholePackets(port: UInt16) -> Bool

  /// How long a packet may be that is delivered whole, in bytes. BSD's longest is what one can write back.
  var longestPacket: Int { get }

  /// A fragment that was held goes on in its pass, judged to the end.
  mutating func proceed(_ packet: RawSpan, _ onward: Onward)

  /// Hears each thing that the rules say on the way, in order.
  mutating func note(_ verdict: Verdict)
}

extension DivertSink where Self: ~Copyable {
  package mutating func note(_ verdict: Verdict) {}

  package var longestPacket: Int { Reinjection.longestPacket }
}

package enum Delivery: Equatable, Sendable {
  case delivered
  /// Nobody has bound the port.
  case noListener
  /// The receive buffer has no room.
  case full
}

/// What the rules say in the end.
package enum Judgement: Equatable, Sendable {
  /// The packet goes on in its pass.
  case proceed
  /// A rule denied it.
  case denied
  /// It was diverted: whoever reads it has it, or it was dropped and counted. Or it is a fragment and waits for others.
  case consumed
}

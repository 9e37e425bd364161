package import DivertWire
package import Firewall

/// How a packet goes on that its host has given to the engine.
package struct Onward: Equatable, Sendable {
  package var pass: Pass
  /// How often the packet has been written back in this pass.
  package var passes: UInt8
  /// How it came on the link layer: broadcast or multicast.
  package var arrival: FrameHeader.Flags
  /// Where the host has written down its path.
  package var path: FramePath
  package var origin: PacketOrigin

  package init(
    _ pass: Pass, passes: UInt8 = 0, arrival: FrameHeader.Flags = [], path: FramePath = .none,
    origin: PacketOrigin = PacketOrigin()
  ) {
    (self.pass, self.passes, self.path, self.origin) = (pass, passes, path, origin)
    self.arrival = arrival.intersection(.arrival)
  }
}

extension FrameHeader {
  /// The header of a frame with a packet that goes on so.
  package init(_ onward: Onward, _ operation: Operation, tag: UInt16) {
    var flags = onward.arrival
    var interface = onward.pass.receiveInterface
    if onward.pass.direction == .outgoing {
      flags = .outgoing
      if interface == 0 {
        interface = onward.pass.transmitInterface
        flags.insert(.transmitInterface)
      }
    }
    self.init(
      tag: tag, interface: interface, flags: flags, path: onward.path, passes: onward.passes,
      operation: operation)
  }
}

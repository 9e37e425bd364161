package import Packets

/// What rules may ask about the host they run on: its interfaces and their addresses.
package struct HostView: Sendable, Equatable {
  package struct Interface: Sendable, Equatable {
    /// The kernel's index; 0 names no interface.
    package var index: UInt32
    package var name: String
    /// In order of configuration: the first is the one a divert address carries.
    package var addresses4: [IPv4Address]
    package var addresses6: [IPv6Address]

    package init(index: UInt32, name: String, addresses4: [IPv4Address] = [], addresses6: [IPv6Address] = [])
    {
      self.index = index
      self.name = name
      self.addresses4 = addresses4
      self.addresses6 = addresses6
    }
  }

  package var interfaces: [Interface]

  package init(interfaces: [Interface] = []) { self.interfaces = interfaces }
}

/// Where a packet is when the rules are applied to it.
package struct Pass: Sendable, Equatable, BitwiseCopyable {
  package var direction: Direction
  /// 0: the packet was not received (made by this host).
  package var receiveInterface: UInt32
  /// 0 in the incoming pass.
  package var transmitInterface: UInt32
  /// A program has written the packet, for this very pass.
  package var isReinjected: Bool

  package init(
    direction: Direction, receiveInterface: UInt32, transmitInterface: UInt32 = 0, isReinjected: Bool = false
  ) {
    self.isReinjected = isReinjected
    self.direction = direction
    self.receiveInterface = receiveInterface
    self.transmitInterface = transmitInterface
  }
}

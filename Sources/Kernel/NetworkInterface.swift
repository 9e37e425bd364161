import Glibc

/// An interface of this network namespace, as rtnetlink(7) reports it.
package struct NetworkInterface: Sendable, Equatable {
  package var index: UInt32
  package var name: String
  package var isUp: Bool
  package var isLoopback: Bool
  /// The kind of its link layer: ARPHRD_… of linux/if_arp.h.
  package var hardwareType: UInt16
  /// The link-layer address, six zero bytes where there is none.
  package var linkAddress: [UInt8]
  package var mtu: UInt32
  /// Whether it leads to one other end, which has an address.
  package var hasPeer = false
  /// The bridge, bond or VRF that it is a member of, 0 for none.
  package var master: UInt32
  /// The interface of this namespace that it lies on (a VLAN's, a macvlan's parent), 0 for none.
  package var parent: UInt32
  /// `bridge`, `bond`, `tun`, `veth` …; empty for hardware.
  package var kind: String
  package var detail = Detail()
  /// In order of configuration, host byte order.
  package var addresses4: [UInt32] = []
  /// The broadcast addresses of its networks, host byte order.
  package var broadcasts4: Set<UInt32> = []
  package var addresses6: [Address6] = []

  /// Two halves in host byte order.
  package struct Address6: Sendable, Equatable {
    package var high: UInt64
    package var low: UInt64
  }

  /// What only some kinds have; the rest stays as it is here.
  package struct Detail: Sendable, Equatable {
    /// Of a VLAN: its tag.
    package var vlanIdentifier: UInt16 = 0
    package var vlanProtocol: UInt16 = 0
    /// Of a bridge: whether it speaks the spanning tree protocol, the type of its VLAN tags, and which of the 16
    /// link-local groups (01:80:c2:00:00:0x) it forwards, a bit each.
    package var spanningTree = false
    package var bridgeVLANProtocol: UInt16 = 0x8100
    package var forwardedGroups: UInt16 = 0
    /// Of a member of a bridge: which groups it forwards besides.
    package var memberForwardedGroups: UInt16 = 0
    /// Of a macvlan or macvtap: whether it takes all frames of its parent.
    package var isPassthru = false
    /// Of a GRE tunnel: whether it has one other end, or each packet brings its own (`external`). The others write and
    /// read their outer header as if it were the link layer's (`header_ops` of net/ipv4/ip_gre.c).
    package var isPointToPoint = false
  }
}

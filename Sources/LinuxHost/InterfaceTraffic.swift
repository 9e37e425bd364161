import Kernel
import RuleCompiler

/// What hooks have to be like on an interface.
struct HookShape: Hashable {
  /// Of the header in front of IP's on what is sent there: 14 for Ethernet, 0 where there is none.
  var linkHeaderLength: Int
  /// What a bridge, bond or team gets of a member is judged there.
  var isMember = false
  /// What interfaces that lie on it send by it is judged there.
  var hasChildren = false
}

extension NetworkInterface {
  /// Whether it sends by its parent, with a link-layer address of its own: a macvlan, but one that takes all of its
  /// parent's frames has the parent's address, too.
  var isChild: Bool { ["macvlan", "macvtap"].contains(kind) && parent != 0 && !detail.isPassthru }

  /// Of a member: the link-local groups, a bit each, whose packets IP gets on the member; nil for what is none.
  func ownGroups(among all: [NetworkInterface]) -> UInt16? {
    guard let master = all.first(where: { $0.index == self.master }) else { return nil }
    switch master.kind {
    // A port of a bond or team that is not in use gives such packets to IP (`bond_handle_frame`, `team_handle_frame`).
    case "bond", "team": return .max
    case "bridge":
      // br_handle_frame: 0 stays where the bridge speaks the spanning tree protocol, 1 is dropped, the others stay
      // unless they are to be forwarded. A bridge of 802.1ad forwards these in any case (BR_GROUPFWD_8021AD).
      let required: UInt16 = master.detail.bridgeVLANProtocol == 0x88a8 ? 0xb801 : 0
      let forwarded = required | master.detail.forwardedGroups | detail.memberForwardedGroups
      return ~(forwarded | 2 | (master.detail.spanningTree ? 0 : 1))
    default: return nil
    }
  }

  /// Flags for ``HookInterface``, of the VLAN devices with identifier 0 that lie on this one.
  func vlanFlags(among all: [NetworkInterface]) -> UInt16 {
    all.reduce(0) { flags, other in
      guard other.kind == "vlan", other.parent == index, other.detail.vlanIdentifier == 0 else {
        return flags
      }
      return flags
        | (other.detail.vlanProtocol == 0x88a8 ? HookInterface.hasServiceVLAN0 : HookInterface.hasVLAN0)
    }
  }
}

/// What IP traffic of its own an interface carries: that is what its hooks judge.
enum InterfaceTraffic: Equatable {
  case judged(HookShape)
  /// None: what passes it is judged on the interface that IP received it from or sends it to.
  case none
  /// There may be some, but hooks cannot find its IP header.
  case unreadable(reason: String)

  init(of interface: NetworkInterface) {
    switch interface.kind {
    // An ifb takes only what tc(8) redirects to it, and gives it back to the device that it came from
    // (drivers/net/ifb.c); nlmon and vsockmon show copies of messages that are no packets.
    case "ifb", "nlmon", "vsockmon": self = .none
    default: self = Self.byHardware(interface)
    }
  }

  /// Where the kernel has the IP header behind a device's own, in what it receives and sends.
  private static func byHardware(_ interface: NetworkInterface) -> InterfaceTraffic {
    switch interface.hardwareType {
    case 1, 772:  // ARPHRD_ETHER, ARPHRD_LOOPBACK
      return .judged(HookShape(linkHeaderLength: 14))
    case 512, 256...259, 519, 768, 769, 776, 65534:
      // ARPHRD_PPP, ARPHRD_SLIP…CSLIP6, ARPHRD_RAWIP, ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT, ARPHRD_NONE
      return .judged(HookShape(linkHeaderLength: 0))
    case 778, 823:  // ARPHRD_IPGRE, ARPHRD_IP6GRE
      guard interface.detail.isPointToPoint else {
        return .unreadable(
          reason: "its packets carry the outer header of the tunnel; give it a remote address")
      }
      return .judged(HookShape(linkHeaderLength: 0))
    case 280, 290, 801...805, 820, 821, 824, 826:
      // CAN, MCTP, IEEE 802.11 frames as they are, 802.15.4, Phonet, netlink, vsock: no IP.
      return .none
    default:
      return .unreadable(
        reason: "hooks do not know the link layer of hardware type \(interface.hardwareType)")
    }
  }
}

package import DivertWire
package import Firewall
import Glibc
import Packets

/// Where a packet that a program wrote re-enters the packet path.
package struct Reentry: Equatable, Sendable {
  /// An outgoing packet's transmit interface is the one that its address names, or 0: its route decides, where there is
  /// one.
  package var pass: Pass
  /// Where the rules begin.
  package var index: Int
  package var passes: UInt8
  /// How the packet came on the link layer when it came first.
  package var arrival: FrameHeader.Flags
}

package enum Admission: Equatable, Sendable {
  case reenters(Reentry)
  /// The errno that the program gets.
  case refused(CInt)
}

extension DivertEngine {
  /// Decides whether a packet that a program writes re-enters the packet path, and where.
  ///
  /// The direction is the header's. An incoming packet needs an interface of this host to arrive on
  /// (`EADDRNOTAVAIL`); an outgoing one that was received here keeps its receive interface, so that rules
  /// with `recv` still see it. The rules in force *now* are the ones that count.
  ///
  /// - Source: divert(4), WRITING PACKETS, and ``Reinjection/refusal(of:outgoing:)``.
  package mutating func admit(_ packet: RawSpan, _ header: FrameHeader) -> Admission {
    let outgoing = header.flags.contains(.outgoing)
    if let code = Reinjection.refusal(of: packet, outgoing: outgoing) { return .refused(code) }
    guard header.passes <= FrameHeader.passLimit else { return .refused(ELOOP) }
    let exists = view.interfaces.contains { $0.index == header.interface && header.interface != 0 }
    var pass = Pass(
      direction: outgoing ? .outgoing : .incoming, receiveInterface: 0, isReinjected: true)
    if outgoing {
      if exists {
        if header.flags.contains(.transmitInterface) {
          pass.transmitInterface = header.interface
        } else {
          pass.receiveInterface = header.interface
        }
      }
      counters.reinjectedOutgoing += 1
    } else {
      guard exists else { return .refused(EADDRNOTAVAIL) }
      pass.receiveInterface = header.interface
      counters.reinjectedIncoming += 1
    }
    return .reenters(
      Reentry(
        pass: pass, index: ruleSet.index(after: header.tag), passes: header.passes,
        arrival: header.flags.intersection(.arrival)))
  }
}

import BPF
import Glibc
import Kernel
import RuleCompiler

/// A device on which divert sockets live, with its hook. It goes with the last reference to this, unless it is kept
/// (``KeptHost``).
final class HostLink: Sendable {
  // The hook goes before the device that it is attached to.
  private let hook: Link
  private let endHook: Link?
  private let device: LinkDevice
  private let kept: KeptHost?
  var index: UInt32 { device.index }
  /// All interfaces that belong to it.
  var indexes: [UInt32] { [device.index] + (device.endIndex.map { [$0] } ?? []) }

  static func name(ofPort port: UInt16) -> String { "divert\(port)" }

  /// Whether an interface of this name is a link.
  static func isName(_ name: String) -> Bool { port(ofName: name) != nil }

  static func port(ofName name: String) -> UInt16? {
    guard name.hasPrefix("divert"), let port = UInt16(name.dropFirst(6)), Self.name(ofPort: port) == name
    else { return nil }
    return port
  }

  /// - Parameter kept: What is to stay without this process. A hook of an earlier divertd that is there already stays until
  ///   ``replaceHook(with:)``: the program may need what its maps do not hold yet.
  init(_ device: consuming LinkDevice, program: borrowing Program, kept: KeptHost?) throws(SystemError) {
    if let kept, let end = device.endIndex {
      endHook = try kept.attach(kept.endProgram, to: end, .ingress)
    } else {
      endHook = nil
    }
    if let earlier = kept?.earlierHook(on: device.index, .egress) {
      hook = earlier
    } else {
      hook = try attach(program, to: device.index, .egress, kept)
    }
    self.device = device
    self.kept = kept
  }

  func replaceHook(with program: borrowing Program) throws(SystemError) { try hook.replace(with: program) }

  deinit {
    guard let kept, kept.removesLinks else { return }
    for index in indexes { kept.detach(index) }
    device.delete()
  }
}

/// The two kinds of devices that a link is made of: one that goes with this process, and one that stays.
enum LinkDevice: ~Copyable, Sendable {
  case tap(TapDevice)
  case pair(VethPair)

  init(_ name: String, kept: KeptHost?) throws(SystemError) {
    guard kept != nil else {
      self = .tap(try TapDevice(name))
      return
    }
    if let pair = VethPair(existing: name) {
      self = .pair(pair)
    } else {
      self = .pair(try VethPair(name, mtu: UInt32(TapDevice.maximumMTU)))
    }
  }

  var index: UInt32 {
    switch self {
    case .tap(let device): device.index
    case .pair(let pair): pair.index
    }
  }

  /// Of the device at its far end.
  var endIndex: UInt32? {
    switch self {
    case .tap: nil
    case .pair(let pair): pair.endIndex
    }
  }

  borrowing func delete() {
    switch self {
    case .tap: break
    case .pair(let pair): try? pair.delete()
    }
  }
}

/// Attaches a program, so that it stays if anything is to stay.
func attach(
  _ program: borrowing Program, to interface: UInt32, _ point: Link.AttachPoint, _ kept: KeptHost?
) throws(SystemError) -> Link {
  guard let kept else { return try Link(program, to: interface, point) }
  return try kept.attach(program, to: interface, point)
}

import BPF
import Glibc
package import Kernel
import RuleCompiler
import Synchronization

/// What stays in force without divertd (`--fail-closed`): hooks and maps pinned in a directory that belongs to this
/// network namespace, and links that need no process.
///
/// Names in the directory: `in-INDEX` and `out-INDEX` are what is attached to interface INDEX, `state` and `counters` are
/// texts (``KeptState``), `divert_…` are maps.
package final class KeptHost: Sendable {
  let pins: PinDirectory
  /// What an earlier divertd has left in force.
  package let earlier: KeptState?
  let ledger: SocketLedger
  /// For the far ends of links.
  let endProgram: Program
  /// While the host serves, a link goes with its socket. What was in force before, and what is to stay, does not go with
  /// this process.
  private let serves = Atomic(false)
  private let isKept: Atomic<Bool>
  let socket: String

  /// Where directories of network namespaces lie.
  package static let usualRoot = "/sys/fs/bpf/divert"
  static let state = "state"
  static let counters = "counters"

  /// Of the network namespace that this process is in: its cookie, which no other one gets (SO_NETNS_COOKIE, socket(7)).
  private static func path(below root: String) throws(SystemError) -> String {
    "\(root)/\(try networkNamespaceCookie())"
  }

  /// Takes the directory, and what an earlier divertd has left there.
  ///
  /// - Parameter root: A directory on a bpf file system.
  /// - Throws: `EADDRINUSE` where a divertd has it, or where an earlier one has listened elsewhere.
  package init(below root: String, socket: String) throws(HostError) {
    endProgram = try Self.loadEndProgram()
    do throws(SystemError) { (pins, earlier) = try Self.take(below: root, socket: socket) } catch {
      throw .system(error)
    }
    isKept = Atomic(earlier != nil || Self.isLiving(pins.path))
    self.socket = socket
    let pins = pins
    ledger = try system { () throws(SystemError) in try SocketLedger(pins) }
    Self.removeDead(below: root, besides: pins.path)
  }

  private static func loadEndProgram() throws(HostError) -> Program {
    do {
      return try Program("divert_end", LinkEndHook.compile())
    } catch let error as ProgramError {
      throw .program(error)
    } catch {
      throw .assembler(.unplacedLabel(slot: 0))
    }
  }

  private static func take(
    below root: String, socket: String
  ) throws(SystemError) -> (PinDirectory, KeptState?) {
    let pins: PinDirectory
    do throws(SystemError) {
      let path = try Self.path(below: root)
      pins = try PinDirectory(creating: path)
    } catch {
      guard error.code == EWOULDBLOCK else { throw error }
      throw SystemError(
        "start divertd", code: EADDRINUSE,
        advice: "another divertd serves this network namespace; stop it first")
    }
    let earlier = pins.text(Self.state).flatMap { KeptState(text: $0) }
    if let earlier, earlier.socket != socket {
      throw SystemError(
        "start divertd", code: EADDRINUSE,
        advice: "the rules in force are of one that listened at \(earlier.socket); "
          + "say --socket \(earlier.socket), or end them with `divertd --stop --socket \(earlier.socket)`")
    }
    return (pins, earlier)
  }

  /// A first start that fails leaves nothing.
  deinit {
    if !stays { Self.remove(pins) }
  }

  /// From here on all is in force, and stays so.
  func begin() {
    isKept.store(true, ordering: .relaxed)
    serves.store(true, ordering: .relaxed)
  }

  /// Nothing goes any more, whatever becomes of this process's memory.
  func leave() { serves.store(false, ordering: .relaxed) }

  /// Whether all this is in force without this process: not before a first start has come to its end.
  var stays: Bool { isKept.load(ordering: .relaxed) }

  var removesLinks: Bool { serves.load(ordering: .relaxed) }

  /// Ends what is in force: all hooks, links and maps.
  func removeAll() {
    leave()
    isKept.store(false, ordering: .relaxed)
    Self.remove(pins)
  }

  private static func remove(_ pins: PinDirectory) {
    // First the hooks of interfaces, then the links that these redirect to.
    pins.removeAll()
    removeLinks()
  }

  private static func removeLinks() {
    for interface in (try? NetworkInterface.all()) ?? [] where HostLink.isName(interface.name) {
      try? VethPair(existing: interface.name)?.delete()
    }
  }

  // MARK: What is kept

  private static func name(_ interface: UInt32, _ point: Link.AttachPoint) -> String {
    point == .ingress ? "in-\(interface)" : "out-\(interface)"
  }

  /// The interface of an attachment's name.
  private static func interface(ofName name: String) -> UInt32? {
    for prefix in ["in-", "out-"] where name.hasPrefix(prefix) { return UInt32(name.dropFirst(prefix.count)) }
    return nil
  }

  /// What is kept for that interface and direction.
  func earlierHook(on interface: UInt32, _ point: Link.AttachPoint) -> Link? {
    Link.kept(Self.name(interface, point), in: pins, on: interface, point)
  }

  /// Attaches a program, in the place of what is kept for that interface and direction: each packet meets the earlier
  /// program or this one.
  func attach(
    _ program: borrowing Program, to interface: UInt32, _ point: Link.AttachPoint
  ) throws(SystemError) -> Link {
    if let earlier = earlierHook(on: interface, point) {
      try earlier.replace(with: program)
      return earlier
    }
    let link = try Link(program, to: interface, point)
    try pins.pin(link.descriptor, as: Self.name(interface, point))
    return link
  }

  func detach(_ interface: UInt32) {
    for point in [Link.AttachPoint.ingress, .egress] { pins.remove(Self.name(interface, point)) }
  }

  /// Detaches what is kept for other interfaces than these.
  func detachAll(besides interfaces: Set<UInt32>) {
    for name in pins.names {
      if let interface = Self.interface(ofName: name), !interfaces.contains(interface) { pins.remove(name) }
    }
  }

  // MARK: From outside

  /// Whether hooks of an earlier divertd are in force in this network namespace.
  package static func isEnforced(below root: String) -> Bool {
    guard let path = try? path(below: root) else { return false }
    return isLiving(path)
  }

  /// Whether some attachment still has an interface: loopback's are there as long as their network namespace.
  private static func isLiving(_ path: String) -> Bool {
    PinDirectory.names(in: path).contains { name in
      interface(ofName: name) != nil && Link.interface(ofPinned: "\(path)/\(name)") ?? 0 != 0
    }
  }

  /// Removes what belongs to network namespaces that are gone.
  private static func removeDead(below root: String, besides own: String) {
    for name in PinDirectory.names(in: root) {
      let path = "\(root)/\(name)"
      guard UInt64(name) != nil, path != own, let pins = try? PinDirectory(opening: path),
        !isLiving(path)
      else { continue }
      pins.removeAll()
    }
  }

  /// What ``remove(below:)`` has ended.
  package struct Remains {
    /// Where the divertd has listened; nil where that cannot be read.
    package let socket: String?
  }

  /// Ends what an earlier divertd has left in force in this network namespace.
  ///
  /// - Returns: nil where there was nothing.
  /// - Throws: `EADDRINUSE` while a divertd has it, `ENOENT` where it is in force, but not pinned there.
  package static func remove(below root: String) throws(SystemError) -> Remains? {
    let pins: PinDirectory
    do throws(SystemError) {
      pins = try PinDirectory(opening: try path(below: root))
    } catch {
      if error.code == ENOENT { return try removeLinks(besides: root) }
      guard error.code == EWOULDBLOCK else { throw error }
      throw SystemError(
        "stop divertd", code: EADDRINUSE,
        advice: "the one that serves this network namespace listens elsewhere; say where with --socket")
    }
    let socket = pins.text(state).flatMap { KeptState(text: $0)?.socket }
    remove(pins)
    return Remains(socket: socket)
  }

  /// Links whose hooks went with the bpf file system where they were pinned.
  private static func removeLinks(besides root: String) throws(SystemError) -> Remains? {
    guard let link = VethPair(existing: HostLink.name(ofPort: 0)) else { return nil }
    guard !Link.isAnyAttached(to: link.index, .egress) else {
      throw SystemError(
        "stop divertd", code: ENOENT,
        advice: "what is enforced is not pinned below \(root); say where with --pins")
    }
    removeLinks()
    return Remains(socket: nil)
  }
}

import CSystem
import Glibc

/// The process at the other end of a connection, as it was when it connected, or began to listen (unix(7), SO_PEERCRED).
package struct Peer: Sendable, Equatable {
  /// 0 for a process of another PID namespace, which has no number in this one.
  package let processIdentifier: Int32
  /// The effective user, by its number in this process's user namespace; 65534 for a user of another one.
  package let user: UInt32

  package init(of connection: borrowing Descriptor) throws(SystemError) {
    // struct ucred: pid, uid, gid.
    var credentials: InlineArray<3, UInt32> = [0, 0, 0]
    var size = socklen_t(12)
    let number = connection.number
    _ = try retrying("read the credentials of a control socket's peer") {
      unsafe getsockopt(number, SOL_SOCKET, 17, &credentials, &size)
    }
    (processIdentifier, user) = (Int32(bitPattern: credentials[0]), credentials[1])
  }

  /// Whether it may be trusted with what this process asks: an abstract name, or a path in a directory of others, is
  /// anyone's to take.
  package var isTrusted: Bool { user == 0 || user == geteuid() }
}

/// Whether the process at the other end of a connection may administer the network.
///
/// The superuser's number alone does not say so: containers have a superuser without CAP_NET_ADMIN, and `unshare -U`
/// makes one whose capabilities count in its own user namespace only (capabilities(7), user_namespaces(7)).
package enum PeerPrivilege: Sendable, Equatable {
  case administrator
  case user
  /// The superuser's number without the capability, or without it in this user namespace.
  case superuserWithoutCapability
  /// /proc does not show it: the process has ended, or belongs to another PID namespace, or this one may not look.
  case unknown

  /// Looks once, at best as soon as the connection is there.
  ///
  /// The number of the user is the kernel's note of when the process connected, so that a program with more privilege
  /// that the process executes afterwards gives it none here. The capabilities are those of the process (of its first
  /// thread) when it is looked at: the kernel keeps a note of those, too, but shows it to no one. A pidfd makes sure that
  /// what is looked at is the process that connected.
  package init(of connection: borrowing Descriptor, _ peer: Peer) {
    self = peer.user == 0 ? Self.superuser(connection, peer.processIdentifier) : .user
  }

  private static func superuser(_ connection: borrowing Descriptor, _ process: Int32) -> PeerPrivilege {
    var pidfd: CInt = -1
    var size = socklen_t(4)
    let soPeerPidfd: CInt = 77
    guard process > 0, unsafe getsockopt(connection.number, SOL_SOCKET, soPeerPidfd, &pidfd, &size) == 0
    else { return .unknown }
    let identity = Descriptor(owning: pidfd)
    guard let status = try? readSmallFile("/proc/\(process)/status"),
      let namespace = userNamespace(of: "\(process)"), let own = userNamespace(of: "self")
    else { return .unknown }
    // A pidfd can be read once its process has ended (pidfd_open(2)): only before that is the number surely its own.
    var query = pollfd(fd: identity.number, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&query, 1, 0) == 0 else { return .unknown }
    return namespace == own && hasNetworkAdministration(status) ? .administrator : .superuserWithoutCapability
  }

  private static func hasNetworkAdministration(_ status: String) -> Bool {
    let capNetAdmin: UInt64 = 1 << 12
    for line in status.split(separator: "\n") where line.hasPrefix("CapEff:") {
      let digits = line.dropFirst("CapEff:".count).drop { $0 == "\t" || $0 == " " }
      return UInt64(digits, radix: 16).map { $0 & capNetAdmin != 0 } ?? false
    }
    return false
  }

  /// Device and inode, which identify a namespace (namespaces(7)).
  private static func userNamespace(of process: String) -> [UInt64]? {
    var information = stat()
    guard unsafe stat("/proc/\(process)/ns/user", &information) == 0 else { return nil }
    return [UInt64(information.st_dev), UInt64(information.st_ino)]
  }
}

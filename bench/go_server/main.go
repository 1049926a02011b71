// The same contract in Go, with grpc-go and pgx: `go-server URL`, of a PostgreSQL database.
//
// It does what the benchmarks' callers look at: malformed requests and altered page tokens are
// not refused, errors have a status and no details, those of the database are UNKNOWN.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"sort"
	"time"

	pb "enrollment/v1"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	connections     = 8 // as many as the server in Python has
	defaultPageSize = 100
	maxPageSize     = 1000
)

// A row without a course stands for a student who takes none.
const listCourses = `
SELECT taken.course_id, coalesce(courses.code, ''), coalesce(courses.title, ''), taken.create_time
FROM students
LEFT JOIN (student_courses AS taken JOIN courses ON courses.id = taken.course_id)
  ON taken.student_id = students.id AND taken.course_id > $2
WHERE students.id = $1
ORDER BY taken.course_id
LIMIT $3`

const findUnknown = `
SELECT
  EXISTS (SELECT FROM students WHERE id = $1),
  ARRAY(
    SELECT asked.id FROM unnest($2::text[]) AS asked (id)
    WHERE NOT EXISTS (SELECT FROM courses WHERE courses.id = asked.id)
  )`

const insertPairs = `
INSERT INTO student_courses (student_id, course_id, create_time)
SELECT $1, asked.id, now() FROM unnest($2::text[]) AS asked (id)
ON CONFLICT (student_id, course_id) DO NOTHING
RETURNING course_id, create_time`

const findPairs = `
SELECT course_id, create_time FROM student_courses
WHERE student_id = $1 AND course_id = ANY ($2::text[])`

const deletePair = `DELETE FROM student_courses WHERE student_id = $1 AND course_id = $2`

const findStudent = `SELECT EXISTS (SELECT FROM students WHERE id = $1)`

var errNoStudent = status.Error(codes.NotFound, "no such student")

type server struct {
	pb.UnimplementedEnrollmentServiceServer
	pool *pgxpool.Pool
}

func (s *server) ListStudentCourses(
	ctx context.Context, request *pb.ListStudentCoursesRequest,
) (*pb.ListStudentCoursesResponse, error) {
	size := int(request.PageSize)
	if size == 0 {
		size = defaultPageSize
	} else if size > maxPageSize {
		size = maxPageSize
	}
	response := &pb.ListStudentCoursesResponse{}
	known := false
	var id *string
	var code, title string
	var created *time.Time
	// One more than asked for tells whether there is another page.
	_, err := s.pool.QueryFunc(ctx, listCourses,
		[]interface{}{request.StudentId, request.PageToken, size + 1},
		[]interface{}{&id, &code, &title, &created},
		func(pgx.QueryFuncRow) error {
			known = true
			if id != nil {
				response.Courses = append(response.Courses, &pb.StudentCourse{
					Course:     &pb.Course{Id: *id, Code: code, Title: title},
					CreateTime: timestamppb.New(*created),
				})
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, errNoStudent
	}
	if len(response.Courses) > size {
		response.Courses = response.Courses[:size]
		response.NextPageToken = response.Courses[size-1].Course.Id
	}
	return response, nil
}

func (s *server) AssociateCourses(
	ctx context.Context, request *pb.AssociateCoursesRequest,
) (*pb.AssociateCoursesResponse, error) {
	var asked []string // each once
	seen := map[string]bool{}
	for _, id := range request.CourseIds {
		if !seen[id] {
			seen[id] = true
			asked = append(asked, id)
		}
	}
	// Calls at the same time come to the same rows in the same order.
	sorted := append([]string(nil), asked...)
	sort.Strings(sorted)

	var created, there map[string]time.Time
	err := s.pool.BeginFunc(ctx, func(tx pgx.Tx) error {
		var known bool
		var unknown []string
		err := tx.QueryRow(ctx, findUnknown, request.StudentId, sorted).Scan(&known, &unknown)
		if err != nil {
			return err
		}
		if !known {
			return errNoStudent
		}
		if len(unknown) > 0 {
			return status.Errorf(codes.NotFound, "no such courses: %q", unknown)
		}
		created, err = createTimes(ctx, tx, insertPairs, request.StudentId, sorted)
		if err != nil || len(created) == len(asked) {
			return err
		}
		there, err = createTimes(ctx, tx, findPairs, request.StudentId, sorted)
		if err == nil && len(there) < len(asked) {
			return status.Error(codes.Aborted, "removed meanwhile")
		}
		return err
	})
	if err != nil {
		return nil, err
	}

	response := &pb.AssociateCoursesResponse{}
	for _, id := range asked {
		association := &pb.CourseAssociation{CourseId: id}
		if at, ok := created[id]; ok {
			association.Outcome = pb.CourseAssociation_OUTCOME_CREATED
			association.CreateTime = timestamppb.New(at)
		} else {
			association.Outcome = pb.CourseAssociation_OUTCOME_ALREADY_ASSOCIATED
			association.CreateTime = timestamppb.New(there[id])
		}
		response.Associations = append(response.Associations, association)
	}
	return response, nil
}

// createTimes runs a statement that returns pairs; it gives the time of each course.
func createTimes(
	ctx context.Context, tx pgx.Tx, sql, studentID string, courseIDs []string,
) (map[string]time.Time, error) {
	times := make(map[string]time.Time, len(courseIDs))
	var id string
	var at time.Time
	_, err := tx.QueryFunc(ctx, sql, []interface{}{studentID, courseIDs},
		[]interface{}{&id, &at}, func(pgx.QueryFuncRow) error {
			times[id] = at
			return nil
		})
	return times, err
}

func (s *server) RemoveCourse(
	ctx context.Context, request *pb.RemoveCourseRequest,
) (*pb.RemoveCourseResponse, error) {
	deleted, err := s.pool.Exec(ctx, deletePair, request.StudentId, request.CourseId)
	if err != nil {
		return nil, err
	}
	if deleted.RowsAffected() > 0 {
		return &pb.RemoveCourseResponse{Removed: true}, nil
	}
	var known bool
	if err := s.pool.QueryRow(ctx, findStudent, request.StudentId).Scan(&known); err != nil {
		return nil, err
	}
	if !known {
		return nil, errNoStudent
	}
	if !request.AllowMissing {
		return nil, status.Error(codes.NotFound, "not associated")
	}
	return &pb.RemoveCourseResponse{}, nil
}

func main() {
	config, err := pgxpool.ParseConfig(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = connections
	// Left to itself, PostgreSQL plans findUnknown anew for each call, and takes twice as long.
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	pool, err := pgxpool.ConnectConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready on", listener.Addr())
	grpcServer := grpc.NewServer()
	pb.RegisterEnrollmentServiceServer(grpcServer, &server{pool: pool})
	log.Fatal(grpcServer.Serve(listener))
}

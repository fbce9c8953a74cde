"""What other programs call the things that a config names: DeepXDE, PyTorch, Keras, Hydra, NumPy.

Words are written as `folded` leaves them. Of several meanings the first that is valid counts;
one with a dot is for a word that stands in a section that does not know it.
"""

from __future__ import annotations


def fold_name(name: str) -> str:
    """Return a name without case, dashes, spaces and underscores."""
    return "".join(letter for letter in name.casefold() if letter not in "-_ ")


_TABLE: dict[tuple[str, ...], str] = {
    # Sections and keys.
    ("model", "mlp"): "net network nn arch architecture backbone",
    ("optimizer",): "optim solver",
    ("output",): "outputdir outdir savedir logdir workdir rundir resultsdir",
    ("seed",): "randomseed manualseed rng",
    ("precision",): "dtype float floatx defaultfloat floattype datatype",
    ("weighting", "terms"): "lossweights lossweight weight weights taskweights "
    "termweights lambda lambdas lambdaweighting",
    ("np", "processes"): "nproc nprocs numprocs numprocesses nprocesses ranks nranks worldsize "
    "workers numworkers",
    ("threads",): "threadsperprocess omp ompnumthreads nthreads numthreads intraopthreads",
    ("coordinates",): "domain variables independentvariables space inputvars bounds",
    ("geometry",): "geom shape",
    ("fields",): "outputs outputvars dependentvariables unknownfunctions states",
    ("constants",): "parameters params coefficients coeffs",
    ("unknowns",): "trainablevariables externaltrainablevariables trainableparameters",
    ("equations",): "pde pdes ode odes residuals residual",
    ("points", "sampling.equations"): "numpoints npoints",
    ("sampling.equations",): "numdomain numcollocation ncollocation collocationpoints collocation "
    "domainpoints interiorpoints ninterior ndomain numinterior nf",
    ("conditions",): "bc bcs ic ics icbc icbcs bcic boundarycondition boundaryconditions "
    "initialcondition initialconditions constraints",
    ("points", "sampling.conditions"): "numboundary numinitial nboundary ninitial "
    "boundarypoints initialpoints nb nbc nic",
    ("conditions", "on"): "dirichletbc neumannbc robinbc dirichlet neumann robin",
    ("conditions", "periodic"): "periodicbc",
    ("conditions", "data"): "pointsetbc observations measurements measured observed",
    ("hard",): "hardconstraint hardconstraints hardconditions outputtransform ansatz trial",
    ("reference", "exact"): "exact exactsolution solution analytical analytic analyticsolution "
    "analyticalsolution groundtruth truth closedform",
    ("on",): "onboundary boundary criteria where region location subset",
    ("equal",): "value values rhs target",
    ("file", "data"): "csv npz hdf5 table dataset",
    ("callbacks",): "callback hook hooks",
    ("training.steps", "steps"): "epochs epoch numepochs nepochs maxepochs iterations iteration "
    "iters numiterations niterations numiters niters niter maxiter maxiters maxiterations maxsteps "
    "numsteps nsteps trainingsteps totalsteps",
    ("batch", "points", "sampling.equations"): "batchsize minibatch minibatchsize",
    ("log_every",): "displayevery printevery logfrequency logfreq loginterval",
    ("checkpoint_every",): "saveevery savefrequency savefreq checkpointfreq checkpointinterval "
    "saveinterval",
    ("evaluate_every",): "evalevery testevery validateevery validationevery evalfreq valinterval",
    ("resample_every",): "resamplefreq resampleperiod resampleinterval resample",
    ("early_stopping",): "earlystop",
    ("max_seconds",): "timelimit maxtime walltime",
    ("learning_rate",): "lr stepsize eta baselr initiallr initlr learningrateinit scheduler "
    "lrscheduler lrschedule learningrateschedule",
    ("clip_norm",): "gradclip gradientclip gradientclipval clipgradnorm maxnorm maxgradnorm",
    ("weight_decay",): "l2 decay regularization",
    ("epsilon",): "eps",
    ("beta_1",): "betas",
    ("memory",): "maxcor history historysize",
    ("depth",): "hiddenlayers numlayers nlayers numhiddenlayers nhiddenlayers",
    ("width",): "neurons units hiddensize hiddendim hiddenunits hiddenfeatures numneurons nneurons "
    "neuronsperlayer layersize numunits nhidden channels filters features",
    ("layers",): "layersizes hiddenlayersizes layerssizes",
    ("activation",): "act activationfunction nonlinearity",
    ("initialization",): "initializer kernelinitializer kernelinit init initialisation",
    ("scale_inputs",): "normalizeinputs normalize inputscaling",
    ("from",): "start lower low min xmin corner lowercorner",
    ("to",): "end upper high max xmax uppercorner",
    ("radius",): "r rad",
    ("center",): "origin c",
    # Names of optimizers and of what they need.
    ("lbfgs",): "lbfgsb quasinewton",
    ("gauss_newton",): "lm levenberg levenbergmarquardt marquardt gn newton naturalgradient ngd "
    "engd energynaturalgradient",
    ("sgd",): "gd gradientdescent steepestdescent momentum",
    ("ssbroyden",): "broyden selfscaledbroyden",
    ("soap",): "shampoo",
    ("exponential",): "exp exponentialdecay explr",
    ("piecewise",): "step steplr multistep multisteplr piecewiseconstant",
    ("cosine",): "cosinedecay cosineannealing cosineannealinglr",
    ("inverse_time",): "inversetimedecay",
    ("global_mean",): "mean average allreduce sum",
    ("fp16",): "half halfprecision",
    ("gradient_norm",): "lra lrannealing gradnorm adaptive annealing",
    ("fixed",): "none constant static manual",
    # Names of models and of their parts.
    ("mlp",): "fnn pfnn ffn ffnn dnn fcn fcnn dense feedforward fullyconnected linear sequential "
    "perceptron multilayerperceptron resnet siren pinn",
    ("unet",): "cnn convnet",
    ("sin",): "sine siren",
    ("swish",): "silu",
    ("sigmoid",): "logistic",
    ("glorot_normal",): "xavier xaviernormal glorot",
    ("glorot_uniform",): "xavieruniform",
    ("he_normal",): "kaiming kaimingnormal he",
    ("he_uniform",): "kaiminguniform",
    ("float64",): "double fp64 f64 64",
    ("float32",): "single fp32 f32 32",
    # Names of ways to draw points.
    ("uniform",): "random pseudo pseudorandom montecarlo mc",
    ("latin_hypercube",): "lhs latin",
    ("rad",): "rar rard adaptive residualbased",
    ("grid",): "uniformgrid equispaced meshgrid regular cartesian",
    ("halton",): "hammersley",
    ("pde",): "ode odes pinn poisson heat wave burgers",
    # Shapes and regions.
    ("disk",): "circle disc",
    ("ball",): "sphere",
    ("rectangle",): "square rect",
    ("cuboid",): "box cube hypercube",
    ("polygon",): "triangle quadrilateral polyline",
    ("mesh",): "obj ply off polyhedron",
    ("difference",): "csgdifference subtract subtraction minus cut",
    ("union",): "csgunion join add",
    ("intersection",): "csgintersection intersect",
    ("boundary",): "onboundary border edge edges wall walls",
    ("interior",): "inside bulk",
    # Formats.
    ("vtk",): "vtu vti vts pvd paraview",
    ("savedmodel",): "tensorflow tf keras onnx",
    ("npz",): "numpy npy",
    # Functions and numbers.
    ("log",): "loge",
    ("asin",): "arcsin",
    ("acos",): "arccos",
    ("atan",): "arctan",
    ("atan2",): "arctan2",
    ("abs",): "absolute fabs",
    ("max",): "maximum fmax amax",
    ("min",): "minimum fmin amin",
    ("sign",): "sgn signum",
    ("heaviside",): "step unitstep theta",
    ("where",): "ifelse cond select piecewise",
}

SYNONYMS: dict[str, tuple[str, ...]] = {}
for _meanings, _words in _TABLE.items():
    for _word in _words.split():
        SYNONYMS[_word] = (*SYNONYMS.get(_word, ()), *_meanings)
